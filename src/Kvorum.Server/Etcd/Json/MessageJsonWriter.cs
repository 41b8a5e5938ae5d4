using System.Collections;
using System.Globalization;
using System.Text.Json;
using Google.Protobuf;
using Google.Protobuf.Reflection;

namespace Kvorum.Server.Etcd.Json;

/// <summary>
/// Messages as etcd's gateway writes them: field names as in the .proto files, 64-bit numbers as strings, bytes as
/// base64, enums by name, defaults left out.
/// </summary>
internal static class MessageJsonWriter
{
    public static void Write(Utf8JsonWriter json, IMessage message)
    {
        json.WriteStartObject();
        foreach (var field in message.Descriptor.Fields.InFieldNumberOrder())
        {
            if (field.IsRepeated)
            {
                WriteList(json, field, (IList)field.Accessor.GetValue(message));
            }
            else if (IsSet(field, message))
            {
                json.WritePropertyName(field.Name);
                WriteValue(json, field, field.Accessor.GetValue(message));
            }
        }

        json.WriteEndObject();
    }

    private static bool IsSet(FieldDescriptor field, IMessage message)
    {
        if (field.ContainingOneof is { } oneof)
        {
            return oneof.Accessor.GetCaseFieldDescriptor(message) == field;
        }

        return field.Accessor.GetValue(message) switch
        {
            null => false,
            string text => text.Length > 0,
            ByteString bytes => !bytes.IsEmpty,
            bool flag => flag,
            long number => number != 0,
            ulong number => number != 0,
            int number => number != 0,
            uint number => number != 0,
            Enum value => Convert.ToInt32(value, CultureInfo.InvariantCulture) != 0,
            _ => true,
        };
    }

    private static void WriteList(Utf8JsonWriter json, FieldDescriptor field, IList values)
    {
        if (values.Count == 0)
        {
            return;
        }

        json.WriteStartArray(field.Name);
        foreach (var value in values)
        {
            WriteValue(json, field, value!);
        }

        json.WriteEndArray();
    }

    private static void WriteValue(Utf8JsonWriter json, FieldDescriptor field, object value)
    {
        switch (value)
        {
            case IMessage message: Write(json, message); break;
            case string text: json.WriteStringValue(text); break;
            case ByteString bytes: json.WriteBase64StringValue(bytes.Span); break;
            case bool flag: json.WriteBooleanValue(flag); break;
            case long number: json.WriteStringValue(number.ToString(CultureInfo.InvariantCulture)); break;
            case ulong number: json.WriteStringValue(number.ToString(CultureInfo.InvariantCulture)); break;
            case int number: json.WriteNumberValue(number); break;
            case uint number: json.WriteNumberValue(number); break;
            case Enum: WriteEnum(json, field, Convert.ToInt32(value, CultureInfo.InvariantCulture)); break;
            default: throw new NotSupportedException($"A field of the type {value.GetType()} has no JSON form here.");
        }
    }

    private static void WriteEnum(Utf8JsonWriter json, FieldDescriptor field, int number)
    {
        if (field.EnumType.FindValueByNumber(number) is { } known)
        {
            json.WriteStringValue(known.Name);
        }
        else
        {
            json.WriteNumberValue(number);
        }
    }
}
