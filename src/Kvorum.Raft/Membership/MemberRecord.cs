namespace Kvorum.Raft;

/// <summary>
/// What the membership keeps of one node beside its vote; names and addresses are opaque to consensus.
/// </summary>
/// <param name="Node">Its id; never 0, never used again after a removal.</param>
/// <param name="Incarnation">
/// The data directory whose votes and acknowledgements count: fixed when the node is promoted. 0 for a voter of the
/// initial cluster: there the incarnation that was met first counts (<see cref="Standing"/>).
/// </param>
/// <param name="JoinsByItself">A learner that the leader promotes once it has kept up.</param>
/// <param name="Replaces">The voter that goes when this learner is promoted; null for none.</param>
/// <param name="Name">For people; unique in the cluster.</param>
/// <param name="PeerUrl">Where peers reach it; empty when only the transport's settings know.</param>
/// <param name="ClientUrls">Where clients reach it.</param>
public sealed record MemberRecord(
    NodeId Node, ulong Incarnation, bool JoinsByItself, NodeId? Replaces, string Name, string PeerUrl,
    IReadOnlyList<string> ClientUrls)
{
    /// <summary>The most bytes of name and addresses together, in UTF-8.</summary>
    public const int TextBytesMax = 2048;

    /// <summary>The most client URLs of one node.</summary>
    public const int ClientUrlsMax = 16;

    /// <summary>A member of which only the id is known.</summary>
    public static MemberRecord Of(NodeId node) => new(node, 0, false, null, "", "", []);

    /// <summary>Bytes of name and addresses in UTF-8.</summary>
    public int TextBytes
    {
        get
        {
            var bytes = WireText.Bytes(Name) + WireText.Bytes(PeerUrl);
            foreach (var url in ClientUrls)
            {
                bytes += WireText.Bytes(url);
            }

            return bytes;
        }
    }

    public bool Equals(MemberRecord? other) =>
        other is not null && Node == other.Node && Incarnation == other.Incarnation
        && JoinsByItself == other.JoinsByItself && Replaces == other.Replaces && Name == other.Name
        && PeerUrl == other.PeerUrl && ClientUrls.SequenceEqual(other.ClientUrls);

    public override int GetHashCode() => unchecked((int)(Node.Value ^ Incarnation));

    public override string ToString() =>
        $"{Node}{(Incarnation == 0 ? "" : $"@{Incarnation:x}")}{(JoinsByItself ? " joins" : "")}"
        + $"{(Replaces is { } old ? $" replaces {old}" : "")}{(Name.Length == 0 ? "" : $" {Name} {PeerUrl}")}"
        + $"{(ClientUrls.Count == 0 ? "" : $" [{string.Join(' ', ClientUrls)}]")}";
}
