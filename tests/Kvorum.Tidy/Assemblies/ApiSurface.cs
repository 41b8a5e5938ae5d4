using System.Reflection;
using System.Text;

namespace Kvorum.Tidy.Assemblies;

/// <summary>
/// The public surface of an assembly as text, one member per line, in an order that does not depend on the build.
/// </summary>
internal static class ApiSurface
{
    private const BindingFlags Declared =
        BindingFlags.Public | BindingFlags.NonPublic | BindingFlags.Instance | BindingFlags.Static
        | BindingFlags.DeclaredOnly;

    /// <summary>Members the compiler gives every record.</summary>
    private static readonly string[] RecordMembers =
        ["EqualityContract", "PrintMembers", "<Clone>$", "Equals", "GetHashCode", "ToString", "Deconstruct",
            "op_Equality", "op_Inequality"];

    public static string Of(Assembly assembly)
    {
        var text = new StringBuilder();
        foreach (var type in assembly.GetExportedTypes().OrderBy(NameOf, StringComparer.Ordinal))
        {
            text.Append(Declaration(type)).Append('\n');
            var members = type.IsEnum
                ? Enum.GetNames(type).Select(name => $"{name} = {Convert.ToUInt64(Enum.Parse(type, name), null)}")
                : type.GetMembers(Declared).Select(Member).OfType<string>().Order(StringComparer.Ordinal);
            foreach (var member in members)
            {
                text.Append("    ").Append(member).Append('\n');
            }

            text.Append('\n');
        }

        return text.ToString();
    }

    private static string Declaration(Type type)
    {
        var kind = type switch
        {
            { IsEnum: true } => $"enum {NameOf(type)} : {NameOf(Enum.GetUnderlyingType(type))}",
            { IsInterface: true } => $"interface {NameOf(type)}",
            { IsValueType: true } =>
                $"{(type.IsByRefLike ? "ref " : "")}{(IsRecord(type) ? "record " : "")}struct {NameOf(type)}",
            _ when IsDelegate(type) => "delegate " + Signature(type.GetMethod("Invoke")!), // Every delegate has it.
            _ => $"{Modifier(type)}{(IsRecord(type) ? "record" : "class")} {NameOf(type)}",
        };

        var bases = type.GetInterfaces().Where(i => i.IsVisible && !IsEquatableToSelf(i, type)).Select(NameOf).Order();
        var parent = type.BaseType is { } b && b != typeof(object) && !type.IsValueType && !IsDelegate(type)
            ? new[] { NameOf(b) }
            : [];
        var inherits = type.IsEnum || IsDelegate(type) ? [] : parent.Concat(bases).ToList();
        return inherits.Count == 0 ? kind : $"{kind} : {string.Join(", ", inherits)}";
    }

    private static string Modifier(Type type) => type switch
    {
        { IsAbstract: true, IsSealed: true } => "static ",
        { IsAbstract: true } => "abstract ",
        { IsSealed: true } => "sealed ",
        _ => "",
    };

    private static string? Member(MemberInfo member)
    {
        if (member.DeclaringType!.IsSubclassOf(typeof(Delegate)) // A member of a type always has one.
            || (IsRecord(member.DeclaringType) && RecordMembers.Contains(member.Name)))
        {
            return null;
        }

        return member switch
        {
            FieldInfo field when IsVisible(field.Attributes) && field.DeclaringType is { IsEnum: false } =>
                Static(field.IsStatic && !field.IsLiteral)
                    + (field.IsLiteral ? "const " : field.IsInitOnly ? "readonly " : "")
                    + $"{NameOf(field.FieldType)} {field.Name}"
                    + (field.IsLiteral ? $" = {field.GetRawConstantValue()}" : ""),
            PropertyInfo property when Accessors(property) is { Length: > 0 } accessors =>
                Static(property.GetAccessors(true)[0].IsStatic)
                    + $"{NameOf(property.PropertyType)} {property.Name} {{ {accessors}}}",
            EventInfo { AddMethod: { } add } @event when IsVisible(add) =>
                $"event {NameOf(@event.EventHandlerType!)} {@event.Name}", // An event has a type.
            ConstructorInfo constructor when IsVisible(constructor) && !constructor.IsStatic && !IsCopy(constructor) =>
                $"new({Parameters(constructor)})",
            MethodInfo method when IsVisible(method) && (!method.IsSpecialName || method.Name.StartsWith("op_")) =>
                Static(method.IsStatic) + (method.IsAbstract ? "abstract " : "") + Signature(method),
            _ => null,
        };
    }

    private static string Signature(MethodInfo method)
    {
        var name = method.Name == "Invoke" ? NameOf(method.DeclaringType!) : method.Name; // A delegate is its Invoke.
        var arguments = string.Join(", ", method.GetGenericArguments().Select(NameOf));
        var generics = method.IsGenericMethod ? $"<{arguments}>" : "";
        return $"{NameOf(method.ReturnType)} {name}{generics}({Parameters(method)})";
    }

    private static string Parameters(MethodBase method) =>
        string.Join(", ", method.GetParameters().Select(parameter =>
        {
            var direction = !parameter.ParameterType.IsByRef ? ""
                : parameter.IsOut ? "out "
                : parameter.IsIn ? "in " : "ref ";
            var value = parameter.IsOptional ? " = …" : "";
            return $"{direction}{NameOf(parameter.ParameterType)} {parameter.Name}{value}";
        }));

    private static string Accessors(PropertyInfo property)
    {
        var getter = property.GetMethod is { } get && IsVisible(get) ? "get; " : "";
        var setter = property.SetMethod is { } set && IsVisible(set) ? IsInit(set) ? "init; " : "set; " : "";
        return getter + setter;
    }

    private static bool IsInit(MethodInfo setter) =>
        setter.ReturnParameter.GetRequiredCustomModifiers().Any(modifier => modifier.Name == "IsExternalInit");

    private static bool IsVisible(MethodBase method) => method.IsPublic || method.IsFamily || method.IsFamilyOrAssembly;

    private static bool IsVisible(FieldAttributes attributes) =>
        (attributes & FieldAttributes.FieldAccessMask)
            is FieldAttributes.Public or FieldAttributes.Family or FieldAttributes.FamORAssem;

    private static bool IsRecord(Type type) =>
        type.GetMethod("<Clone>$") is not null
        || (type.IsValueType
            && type.GetMethod("PrintMembers", BindingFlags.NonPublic | BindingFlags.Instance) is not null);

    private static bool IsDelegate(Type type) => type.IsSubclassOf(typeof(Delegate));

    private static bool IsCopy(ConstructorInfo constructor) =>
        IsRecord(constructor.DeclaringType!) // A constructor has a type.
        && constructor.GetParameters() is [{ } only] && only.ParameterType == constructor.DeclaringType;

    private static bool IsEquatableToSelf(Type candidate, Type type) =>
        candidate.IsGenericType && candidate.GetGenericTypeDefinition() == typeof(IEquatable<>)
        && (IsRecord(type) || candidate.GetGenericArguments()[0] != type);

    private static string Static(bool isStatic) => isStatic ? "static " : "";

    private static string NameOf(Type type)
    {
        if (type.IsByRef || type.IsArray)
        {
            return NameOf(type.GetElementType()!) + (type.IsArray ? "[]" : ""); // Both have one.
        }

        var name = type.IsNested && !type.IsGenericParameter ? $"{NameOf(type.DeclaringType!)}.{type.Name}" : type.Name;
        return type.IsGenericType
            ? $"{name.Split('`')[0]}<{string.Join(", ", type.GetGenericArguments().Select(NameOf))}>"
            : name;
    }
}
