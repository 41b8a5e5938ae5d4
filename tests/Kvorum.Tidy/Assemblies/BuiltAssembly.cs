using System.Reflection.Metadata;
using System.Reflection.PortableExecutable;

namespace Kvorum.Tidy.Assemblies;

/// <summary>What a built assembly refers to, read from its metadata without loading it.</summary>
internal static class BuiltAssembly
{
    public static string PathOf(string name) => Path.Combine(AppContext.BaseDirectory, name + ".dll");

    /// <summary>Names of referenced assemblies, sorted.</summary>
    public static IReadOnlyList<string> References(string name) =>
        Read(name, metadata => metadata.AssemblyReferences.Select(handle => NameOf(metadata, handle)));

    /// <summary>Names of the types used from another assembly, sorted.</summary>
    public static IReadOnlyList<string> TypesUsedFrom(string name, string other) =>
        Read(name, metadata => metadata.TypeReferences
            .Select(metadata.GetTypeReference)
            .Where(type => IsFrom(metadata, type, other))
            .Select(type => metadata.GetString(type.Name)));

    /// <summary>
    /// Members of the types named *Mutants that a build leaves more of than a constant false, and methods of any type
    /// that are only there for a mutant. An ordinary build has none.
    /// </summary>
    public static IReadOnlyList<string> LiveMutants(string name) =>
        Read(name, metadata => metadata.TypeDefinitions
            .Select(metadata.GetTypeDefinition)
            .Where(type => metadata.GetString(type.Name).EndsWith("Mutants", StringComparison.Ordinal))
            .SelectMany(type => MembersOf(metadata, type)));

    /// <summary>
    /// Full names of the types used from other assemblies, and of their members as "type.member"; generic types by the
    /// name without arguments.
    /// </summary>
    public static IReadOnlyList<string> Uses(string name) => Read(name, metadata => metadata.TypeReferences
        .Select(handle => FullName(metadata, handle))
        .Concat(metadata.MemberReferences
            .Select(metadata.GetMemberReference)
            .Where(member => member.Parent.Kind == HandleKind.TypeReference)
            .Select(member =>
                $"{FullName(metadata, (TypeReferenceHandle)member.Parent)}.{metadata.GetString(member.Name)}")));

    private static string FullName(MetadataReader metadata, TypeReferenceHandle handle)
    {
        var type = metadata.GetTypeReference(handle);
        var name = metadata.GetString(type.Name);
        return type.ResolutionScope.Kind == HandleKind.TypeReference
            ? $"{FullName(metadata, (TypeReferenceHandle)type.ResolutionScope)}.{name}"
            : $"{metadata.GetString(type.Namespace)}.{name}";
    }

    private static IEnumerable<string> MembersOf(MetadataReader metadata, TypeDefinition type)
    {
        var owner = metadata.GetString(type.Name);
        foreach (var handle in type.GetMethods())
        {
            yield return $"{owner}.{metadata.GetString(metadata.GetMethodDefinition(handle).Name)}()";
        }

        foreach (var field in type.GetFields().Select(metadata.GetFieldDefinition))
        {
            var constant = field.GetDefaultValue();
            if (constant.IsNil || metadata.GetBlobBytes(metadata.GetConstant(constant).Value) is not [0])
            {
                yield return $"{owner}.{metadata.GetString(field.Name)}";
            }
        }
    }

    private static bool IsFrom(MetadataReader metadata, TypeReference type, string other) =>
        type.ResolutionScope.Kind == HandleKind.AssemblyReference
        && NameOf(metadata, (AssemblyReferenceHandle)type.ResolutionScope) == other;

    private static string NameOf(MetadataReader metadata, AssemblyReferenceHandle handle) =>
        metadata.GetString(metadata.GetAssemblyReference(handle).Name);

    private static IReadOnlyList<string> Read(string name, Func<MetadataReader, IEnumerable<string>> select)
    {
        using var file = File.OpenRead(PathOf(name));
        using var image = new PEReader(file);
        return [.. select(image.GetMetadataReader()).Distinct(StringComparer.Ordinal).Order(StringComparer.Ordinal)];
    }
}
