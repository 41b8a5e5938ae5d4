using System.Text.Json;
using Kvorum.Kv;

namespace Kvorum.Server.Rest;

/// <summary>
/// Transactions as JSON: <c>{"compare": […], "then": […], "else": […]}</c>; the shapes are in docs/http-api.md.
/// </summary>
internal static class TxnJson
{
    public static Txn Read(JsonElement root)
    {
        JsonInput.CheckObject(root, "Transaction", "compare", "then", "else");
        var compares = new List<Compare>();
        foreach (var (element, where) in ItemsOf(root, "compare"))
        {
            compares.Add(ReadCompare(element, where));
        }

        return new Txn(compares, ReadBranch(root, "then"), ReadBranch(root, "else"));
    }

    /// <summary>Writes one result of a transaction, named like the operation it answers.</summary>
    public static void WriteResult(Utf8JsonWriter json, TxnOperation operation, object result)
    {
        var name = operation switch
        {
            { Put: not null } => "put"u8,
            { Append: not null } => "append"u8,
            { DeleteRange: not null } => "delete"u8,
            _ => "get"u8,
        };
        json.WriteStartObject();
        json.WriteStartObject(name);
        if (result is RangeResult range)
        {
            json.WriteNumber("count"u8, range.Count);
            json.WriteBoolean("more"u8, range.HasMore);
            json.WriteStartArray("items"u8);
            foreach (var row in range.Rows)
            {
                ListRoute.WriteItem(json, row, operation.Range is { KeysOnly: true });
            }

            json.WriteEndArray();
        }
        else if (operation.Put is null)
        {
            json.WriteNumber("count"u8, ((CommandResult)result).Count);
        }

        json.WriteEndObject();
        json.WriteEndObject();
    }

    private static List<TxnOperation> ReadBranch(JsonElement root, string name)
    {
        var operations = new List<TxnOperation>();
        foreach (var (element, where) in ItemsOf(root, name))
        {
            operations.Add(ReadOperation(element, where));
        }

        return operations;
    }

    private static IEnumerable<(JsonElement Element, string Where)> ItemsOf(JsonElement root, string name)
    {
        if (!root.TryGetProperty(name, out var array))
        {
            yield break;
        }

        if (array.ValueKind is not JsonValueKind.Array || array.GetArrayLength() > Txn.OperationsMax)
        {
            throw JsonInput.Wrong(name, $"an array of at most {Txn.OperationsMax} items");
        }

        var index = 0;
        foreach (var element in array.EnumerateArray())
        {
            yield return (element, $"{name}[{index++}]");
        }
    }

    private static Compare ReadCompare(JsonElement element, string where)
    {
        JsonInput.CheckObject(element, where, "key", "target", "operator", "value");
        var key = JsonInput.KeyOf(element, where);
        var target = NameOf(element, "target", where) switch
        {
            "version" => CompareTarget.Version,
            "createRevision" => CompareTarget.CreateRevision,
            "modRevision" => CompareTarget.ModRevision,
            "value" => CompareTarget.Value,
            _ => throw JsonInput.Wrong(where + ".target", "version, createRevision, modRevision or value"),
        };
        var compareOperator = NameOf(element, "operator", where) switch
        {
            "=" => CompareOperator.Equal,
            "!=" => CompareOperator.NotEqual,
            ">" => CompareOperator.Greater,
            "<" => CompareOperator.Less,
            _ => throw JsonInput.Wrong(where + ".operator", "=, !=, > or <"),
        };
        var value = JsonInput.Required(element, "value", where);
        return target is CompareTarget.Value
            ? new Compare(key, target, compareOperator) { Value = JsonInput.BytesOf(value, where + ".value") }
            : new Compare(key, target, compareOperator)
            {
                Number = JsonInput.NumberOf(value, where + ".value", 0, long.MaxValue),
            };
    }

    private static TxnOperation ReadOperation(JsonElement element, string where)
    {
        JsonInput.CheckObject(element, where, "put", "append", "delete", "get");
        if (element.GetPropertyCount() != 1)
        {
            throw JsonInput.Wrong(where, "exactly one of put, append, delete, get");
        }

        var property = element.EnumerateObject().First();
        where = $"{where}.{property.Name}";
        return property.Name switch
        {
            "put" => new TxnOperation { Put = ReadPut(property.Value, where) },
            "append" => new TxnOperation { Append = ReadAppend(property.Value, where) },
            "delete" => new TxnOperation { DeleteRange = ReadDelete(property.Value, where) },
            _ => new TxnOperation { Range = ReadGet(property.Value, where) },
        };
    }

    private static Put ReadPut(JsonElement element, string where)
    {
        JsonInput.CheckObject(element, where, "key", "value");
        var value = JsonInput.BytesOf(JsonInput.Required(element, "value", where), where + ".value");
        return new Put(JsonInput.KeyOf(element, where), value);
    }

    private static Append ReadAppend(JsonElement element, string where)
    {
        JsonInput.CheckObject(element, where, "key", "item");
        var item = JsonInput.Required(element, "item", where);
        return item.ValueKind is JsonValueKind.String && KeyText.Utf8BytesOf(item) is { } text
            ? new Append(JsonInput.KeyOf(element, where), text)
            : throw JsonInput.Wrong(where + ".item", "a string");
    }

    private static DeleteRange ReadDelete(JsonElement element, string where)
    {
        JsonInput.CheckObject(element, where, "key", "prefix");
        var range = RangeOf(element, where);
        return new DeleteRange(range.Key, range.RangeEnd);
    }

    private static RangeQuery ReadGet(JsonElement element, string where)
    {
        JsonInput.CheckObject(element, where, "key", "prefix", "limit", "keysOnly");
        var range = RangeOf(element, where) with { Limit = RestLimits.TxnReadRowsMax };
        if (element.TryGetProperty("limit", out var limit))
        {
            range = range with { Limit = JsonInput.NumberOf(limit, where + ".limit", 1, RestLimits.TxnReadRowsMax) };
        }

        if (element.TryGetProperty("keysOnly", out var keysOnly))
        {
            range = range with
            {
                KeysOnly = keysOnly.ValueKind switch
                {
                    JsonValueKind.True => true,
                    JsonValueKind.False => false,
                    _ => throw JsonInput.Wrong(where + ".keysOnly", "true or false"),
                },
            };
        }

        return range;
    }

    private static RangeQuery RangeOf(JsonElement element, string where)
    {
        var hasPrefix = element.TryGetProperty("prefix", out var prefix);
        if (hasPrefix == element.TryGetProperty("key", out _))
        {
            throw JsonInput.Wrong(where, "either 'key' or 'prefix'");
        }

        if (!hasPrefix)
        {
            return new RangeQuery(JsonInput.KeyOf(element, where), default);
        }

        var bytes = JsonInput.BytesOf(prefix, where + ".prefix");
        return bytes.Length <= KvLimits.KeyBytesMax
            ? RangeQuery.Prefix(bytes)
            : throw JsonInput.Wrong(where + ".prefix", $"at most {KvLimits.KeyBytesMax} bytes");
    }

    private static string? NameOf(JsonElement element, string name, string where)
    {
        var property = JsonInput.Required(element, name, where);
        return property.ValueKind is JsonValueKind.String && KeyText.Utf8BytesOf(property) is not null
            ? property.GetString()
            : null;
    }
}
