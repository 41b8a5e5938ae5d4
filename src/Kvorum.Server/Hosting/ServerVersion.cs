using System.Reflection;

namespace Kvorum.Server;

/// <summary>The version this server reports.</summary>
internal static class ServerVersion
{
    /// <summary>Major, minor and patch, as "0.1.0".</summary>
    public static string Text { get; } =
        typeof(ServerVersion).Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()?
            .InformationalVersion.Split('+')[0] ?? "0.0.0";
}
