namespace Kvorum.Node;

/// <summary>
/// What a directory once showed to be durable: whoever comes back with less was put back from an older copy, or lost
/// what its disk had called written.
/// </summary>
/// <param name="Term">It voted, refused a vote, campaigned or led in this term: never again in an older one.</param>
/// <param name="AcknowledgedTerm">The term of the leader to which it last acknowledged entries; 0 for none.</param>
/// <param name="AcknowledgedIndex">
/// How far. While its own term is not above <paramref name="AcknowledgedTerm"/>, its log reaches at least here.
/// </param>
public readonly record struct PeerPromise(ulong Term, ulong AcknowledgedTerm, ulong AcknowledgedIndex)
{
    /// <summary>Whether a directory that was found with this term and log end has lost something.</summary>
    internal bool IsBroken(ulong term, ulong lastIndex) =>
        Term > term || (AcknowledgedTerm >= term && AcknowledgedIndex > lastIndex);
}
