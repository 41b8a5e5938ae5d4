using System.Buffers.Binary;
using System.Security.Cryptography;
using System.Text;

namespace Kvorum.Server;

/// <summary>
/// Derives ids from what every node is told alike, so that all of them agree without asking each other.
/// </summary>
internal static class ServerIdentity
{
    /// <summary>The first 8 bytes of SHA-256 over token, a zero byte and name; never 0.</summary>
    public static ulong NodeId(string token, string name) => FirstBytes($"{token}\0{name}");

    /// <summary>
    /// The first 8 bytes of SHA-256 over the token and every "name=peer URL", sorted by name: two clusters differ when
    /// any of these differs. Never 0.
    /// </summary>
    public static ulong ClusterId(string token, IEnumerable<ClusterMember> members)
    {
        var text = new StringBuilder(token);
        foreach (var member in members.OrderBy(member => member.Name, StringComparer.Ordinal))
        {
            text.Append('\0').Append(member.Name).Append('=').Append(member.PeerUrl.AbsoluteUri.TrimEnd('/'));
        }

        return FirstBytes(text.ToString());
    }

    private static ulong FirstBytes(string text)
    {
        var hash = SHA256.HashData(Encoding.UTF8.GetBytes(text));
        return Math.Max(1, BinaryPrimitives.ReadUInt64BigEndian(hash));
    }
}
