using System.Collections;
using System.Reflection;
using Kvorum.Kv;
using Kvorum.Raft;

namespace Kvorum.Tidy.Assemblies;

/// <summary>
/// Makes an object of any message, input or command with a different value in each place, and compares two of them
/// place by place: so a codec that forgets a new field is found without a line written for it.
/// </summary>
internal sealed class Sample
{
    private const int DepthMax = 4;
    private const ulong FirstIndex = 100;

    private ulong _next = 2;

    /// <summary>An object whose constructor parameters and settable properties are filled.</summary>
    public object Make(Type type, int depth = 0)
    {
        var constructor = type.GetConstructors()
            .Where(c => !IsCopy(c, type))
            .OrderByDescending(c => c.GetParameters().Length)
            .First();
        var parameters = constructor.GetParameters();
        var made = constructor.Invoke([.. parameters.Select(p => Value(p.ParameterType, p.Name, depth))]);
        var taken = parameters.Select(p => p.Name).ToHashSet(StringComparer.Ordinal);
        foreach (var property in Settable(type).Where(p => !taken.Contains(p.Name)))
        {
            property.SetValue(made, Value(property.PropertyType, property.Name, depth));
        }

        return made;
    }

    /// <summary>The first difference between two objects as a path, or null.</summary>
    public static string? Difference(object? left, object? right, string path)
    {
        if (left is null || right is null)
        {
            return left is null && right is null ? null : $"{path}: {left ?? "null"} became {right ?? "null"}";
        }

        if (Elements(left) is { } leftElements)
        {
            var rightElements = Elements(right) ?? [];
            return leftElements.Count != rightElements.Count
                ? $"{path}: {leftElements.Count} elements became {rightElements.Count}"
                : leftElements.Zip(rightElements)
                    .Select((pair, i) => Difference(pair.First, pair.Second, $"{path}[{i}]"))
                    .FirstOrDefault(difference => difference is not null);
        }

        var type = left.GetType();
        if (type != right.GetType())
        {
            return $"{path}: {type.Name} became {right.GetType().Name}";
        }

        var isPlain = type.IsPrimitive || type.IsEnum || left is string or UInt128 or Membership;
        return isPlain
            ? left.Equals(right) ? null : $"{path}: {left} became {right}"
            : Settable(type)
                .Select(p => Difference(p.GetValue(left), p.GetValue(right), $"{path}.{p.Name}"))
                .FirstOrDefault(difference => difference is not null);
    }

    private object? Value(Type type, string? name, int depth)
    {
        var inner = Nullable.GetUnderlyingType(type) ?? type;
        var number = _next++;
        if (inner == typeof(ReadOnlyMemory<byte>))
        {
            return new ReadOnlyMemory<byte>([(byte)'k', (byte)number, 0, 0xFF]);
        }

        if (inner == typeof(Membership))
        {
            return new Membership([new NodeId(1), new NodeId(number)], [new NodeId(number + 1000)]);
        }

        if (inner.IsEnum)
        {
            return Enum.GetValues(inner).GetValue(Enum.GetValues(inner).Length - 1);
        }

        if (inner == typeof(bool))
        {
            return true;
        }

        if (inner.IsPrimitive)
        {
            return Convert.ChangeType(number, inner, null);
        }

        if (inner == typeof(UInt128))
        {
            return new UInt128(number, number + 1);
        }

        if (inner == typeof(string))
        {
            return name + number;
        }

        if (name == "Previous" && inner == typeof(EntryId))
        {
            return new EntryId(new Term(6), new LogIndex(FirstIndex - 1)); // The entries of a message follow it.
        }

        return ElementType(inner) is { } element ? Many(inner, element, depth) : Nested(inner, depth);
    }

    /// <summary>An object inside; past the depth, nothing where nothing is allowed.</summary>
    private object? Nested(Type type, int depth) =>
        depth >= DepthMax && !type.IsValueType ? null : Make(type, depth + 1);

    private object Many(Type type, Type element, int depth)
    {
        var items = depth >= DepthMax ? [] : element switch
        {
            _ when element == typeof(LogEntry) => [Entry(0), Entry(1), Entry(2)],
            _ when element == typeof(Compare) => [.. Compares()],
            _ when element == typeof(TxnOperation) => [.. Operations(depth)],
            _ => new[] { Value(element, "item", depth + 1), Value(element, "item", depth + 1) },
        };
        var values = Array.CreateInstance(element, items.Length);
        items.CopyTo(values, 0);
        return type.GetGenericTypeDefinition() == typeof(ReadOnlyMemory<>)
            ? Activator.CreateInstance(type, values)! // Its constructor takes an array.
            : values;
    }

    /// <summary>Every target; only one of number and value means something, the other is not encoded.</summary>
    private IEnumerable<object> Compares() => Enum.GetValues<CompareTarget>().Select(target =>
    {
        var compare = ((Compare)Make(typeof(Compare), DepthMax)) with { Target = target };
        return target == CompareTarget.Value ? compare with { Number = 0 } : compare with { Value = default };
    });

    /// <summary>One operation of every kind; its session is that of the whole transaction.</summary>
    private IEnumerable<object> Operations(int depth) => Settable(typeof(TxnOperation))
        .Where(property => depth + 1 < DepthMax || property.PropertyType != typeof(Txn))
        .Select(property =>
        {
            var operation = new TxnOperation();
            var made = Make(property.PropertyType, depth + 1);
            property.SetValue(operation, made is Command command ? command with { Session = null } : made);
            return operation;
        });

    /// <summary>Entries of one message have indexes that rise by one.</summary>
    private static LogEntry Entry(int i)
    {
        var id = new EntryId(new Term(7), new LogIndex(FirstIndex + (ulong)i));
        return new LogEntry(id, EntryKind.Command, new byte[] { 1, (byte)i });
    }

    private static Type? ElementType(Type type) =>
        type.IsGenericType
        && (type.GetGenericTypeDefinition() == typeof(ReadOnlyMemory<>) || type.IsAssignableTo(typeof(IEnumerable)))
            ? type.GetGenericArguments()[0]
            : null;

    private static List<object?>? Elements(object value)
    {
        var type = value.GetType();
        if (type.IsGenericType && type.GetGenericTypeDefinition() == typeof(ReadOnlyMemory<>))
        {
            value = type.GetMethod("ToArray")!.Invoke(value, null)!; // Both exist: the type was just asked for.
        }

        return value is IEnumerable elements and not string ? [.. elements.Cast<object?>()] : null;
    }

    private static IEnumerable<PropertyInfo> Settable(Type type) =>
        type.GetProperties(BindingFlags.Public | BindingFlags.Instance)
            .Where(property => property.SetMethod is { IsPublic: true } && property.GetIndexParameters().Length == 0);

    private static bool IsCopy(ConstructorInfo constructor, Type type) =>
        constructor.GetParameters() is [{ } only] && only.ParameterType == type;
}
