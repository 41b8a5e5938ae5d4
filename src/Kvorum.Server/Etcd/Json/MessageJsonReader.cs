using System.Collections;
using System.Globalization;
using System.Text.Json;
using Google.Protobuf;
using Google.Protobuf.Reflection;
using Kvorum.Protocol.Grpc;

namespace Kvorum.Server.Etcd.Json;

/// <summary>
/// Messages as etcd's gateway takes them: names as in the .proto files or in lowerCamelCase, 64-bit numbers as
/// numbers or strings, bytes in either alphabet of base64, enums by name or number; what it does not know is passed
/// over.
/// </summary>
internal static class MessageJsonReader
{
    /// <exception cref="GrpcException">InvalidArgument: a value does not fit its field.</exception>
    public static void Read(JsonElement json, IMessage message)
    {
        if (json.ValueKind is not JsonValueKind.Object)
        {
            throw Wrong(message.Descriptor.Name, "an object", json);
        }

        foreach (var property in json.EnumerateObject())
        {
            if (Find(message.Descriptor, property.Name) is not { } field
                || property.Value.ValueKind is JsonValueKind.Null)
            {
                continue;
            }

            if (field.IsRepeated)
            {
                ReadList(property.Value, field, (IList)field.Accessor.GetValue(message));
            }
            else
            {
                field.Accessor.SetValue(message, ReadValue(property.Value, field));
            }
        }
    }

    private static FieldDescriptor? Find(MessageDescriptor type, string name)
    {
        if (type.FindFieldByName(name) is { } field)
        {
            return field;
        }

        foreach (var candidate in type.Fields.InFieldNumberOrder())
        {
            if (candidate.JsonName == name)
            {
                return candidate;
            }
        }

        return null;
    }

    private static void ReadList(JsonElement json, FieldDescriptor field, IList values)
    {
        if (json.ValueKind is not JsonValueKind.Array)
        {
            throw Wrong(field.Name, "an array", json);
        }

        foreach (var item in json.EnumerateArray())
        {
            values.Add(ReadValue(item, field));
        }
    }

    private static object ReadValue(JsonElement json, FieldDescriptor field)
    {
        switch (field.FieldType)
        {
            case FieldType.Message:
                var message = field.MessageType.Parser.ParseFrom(ByteString.Empty);
                Read(json, message);
                return message;
            case FieldType.String:
                return json.ValueKind is JsonValueKind.String
                    ? json.GetString()! // Not null: it is a string.
                    : throw Wrong(field.Name, "a string", json);
            case FieldType.Bytes:
                return ReadBytes(json, field);
            case FieldType.Bool:
                return json.ValueKind switch
                {
                    JsonValueKind.True => true,
                    JsonValueKind.False => false,
                    _ => throw Wrong(field.Name, "true or false", json),
                };
            case FieldType.Enum:
                return ReadEnum(json, field);
            case FieldType.Int64:
                return long.TryParse(
                    NumberText(json), NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var i64)
                    ? i64
                    : throw Wrong(field.Name, "a whole number of 64 bits", json);
            case FieldType.UInt64:
                return ulong.TryParse(NumberText(json), NumberStyles.None, CultureInfo.InvariantCulture, out var u64)
                    ? u64
                    : throw Wrong(field.Name, "a whole number of 64 bits from 0 on", json);
            case FieldType.Int32:
                return int.TryParse(
                    NumberText(json), NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var i32)
                    ? i32
                    : throw Wrong(field.Name, "a whole number of 32 bits", json);
            case FieldType.UInt32:
                return uint.TryParse(NumberText(json), NumberStyles.None, CultureInfo.InvariantCulture, out var u32)
                    ? u32
                    : throw Wrong(field.Name, "a whole number of 32 bits from 0 on", json);
            default:
                throw new NotSupportedException($"A field of the type {field.FieldType} has no JSON form here.");
        }
    }

    private static string NumberText(JsonElement json) => json.ValueKind switch
    {
        JsonValueKind.Number => json.GetRawText(),
        JsonValueKind.String => json.GetString()!,
        _ => "",
    };

    private static int ReadEnum(JsonElement json, FieldDescriptor field)
    {
        if (json.ValueKind is JsonValueKind.Number && json.TryGetInt32(out var number))
        {
            return number;
        }

        return json.ValueKind is JsonValueKind.String && field.EnumType.FindValueByName(json.GetString()!) is { } value
            ? value.Number
            : throw Wrong(field.Name, $"a value of {field.EnumType.Name}", json);
    }

    private static ByteString ReadBytes(JsonElement json, FieldDescriptor field)
    {
        if (json.ValueKind is JsonValueKind.String)
        {
            var text = json.GetString()!.Replace('-', '+').Replace('_', '/').TrimEnd('=');
            var padded = text.PadRight((text.Length + 3) / 4 * 4, '=');
            var bytes = new byte[padded.Length / 4 * 3];
            if (Convert.TryFromBase64String(padded, bytes, out var count))
            {
                return UnsafeByteOperations.UnsafeWrap(bytes.AsMemory(0, count));
            }
        }

        throw Wrong(field.Name, "base64", json);
    }

    private static GrpcException Wrong(string name, string expected, JsonElement found)
    {
        const int ShownMax = 64;
        var text = found.GetRawText();
        var shown = text.Length <= ShownMax ? text : text[..ShownMax] + "…";
        return new GrpcException(GrpcStatusCode.InvalidArgument, $"{name}: expected {expected}, found {shown}");
    }
}
