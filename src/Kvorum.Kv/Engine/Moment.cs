using Kvorum.Raft;

namespace Kvorum.Kv;

/// <summary>What one publish made visible, and how many views hold it open.</summary>
/// <param name="store">The rows; those above the revision are not visible.</param>
/// <param name="epoch">Rises with every moment: memory released in an epoch waits for the moments up to it to be
/// over.</param>
internal sealed class Moment(RowStore store, long epoch, LogIndex applied, long revision, long compacted, long keyCount)
{
    private const int Over = int.MinValue;

    private int _openViews;

    public RowStore Store { get; } = store;

    public long Epoch { get; } = epoch;

    public LogIndex Applied { get; } = applied;

    public long Revision { get; } = revision;

    public long Compacted { get; } = compacted;

    public long KeyCount { get; } = keyCount;

    /// <summary>Counts one more view; false when the moment is over and a newer one is to be taken.</summary>
    public bool TryEnter()
    {
        var seen = Volatile.Read(ref _openViews);
        while (seen != Over)
        {
            var now = Interlocked.CompareExchange(ref _openViews, seen + 1, seen);
            if (now == seen)
            {
                return true;
            }

            seen = now;
        }

        return false;
    }

    public void Leave() => Interlocked.Decrement(ref _openViews);

    /// <summary>Ends the moment if no view is open: from then on nobody can enter it. The writer calls it, once it
    /// is not the newest.</summary>
    public bool TryEnd() => Interlocked.CompareExchange(ref _openViews, Over, 0) == 0;
}
