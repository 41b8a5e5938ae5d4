namespace Kvorum.Simulator;

/// <summary>
/// Which operations took effect, which have a place in the order without being taken, and which such sets were met
/// before, with which state.
/// </summary>
/// <remarks>
/// The two sets stand word beside word, and an operation that took effect is in both: where all is over, and where
/// nothing has begun, both words are full or empty, and are left out of what is remembered.
/// </remarks>
internal sealed class SearchMemo
{
    private readonly int _answered;
    private readonly ulong[] _words;
    private readonly HashSet<Entry> _met = new(Entry.Comparer);

    public SearchMemo(int answered, int unknown)
    {
        _answered = answered;
        _words = new ulong[2 * ((answered + 63) / 64 + (unknown + 63) / 64)];
    }

    /// <summary>Whether it took effect, or nothing can be taken any more that would come before it.</summary>
    public bool IsOver(int bit) => IsSet(bit, 0);

    /// <summary>Whether it is over, or has a place.</summary>
    public bool IsPlaced(int bit) => IsSet(bit, 1);

    public void ToggleOver(int bit) => Toggle(bit, 0);

    public void TogglePlaced(int bit) => Toggle(bit, 1);

    /// <summary>Notes the sets with this state; false when they were met before.</summary>
    public bool TryNote(int state, bool isUnobserved)
    {
        var full = 0;
        while (full < _words.Length && _words[full] == ulong.MaxValue)
        {
            full++;
        }

        var end = _words.Length;
        while (end > full && _words[end - 1] == 0)
        {
            end--;
        }

        return _met.Add(new Entry(full, state, isUnobserved, _words[full..end]));
    }

    private bool IsSet(int bit, int set)
    {
        var (word, mask) = Position(bit);
        return (_words[word + set] & mask) != 0;
    }

    private void Toggle(int bit, int set)
    {
        var (word, mask) = Position(bit);
        _words[word + set] ^= mask;
    }

    /// <summary>Operations with unknown outcome have words of their own: most of them are never taken.</summary>
    private (int Word, ulong Mask) Position(int bit)
    {
        var position = bit < _answered ? bit : (_answered + 63) / 64 * 64 + bit - _answered;
        return (2 * (position / 64), 1UL << (position % 64));
    }

    /// <summary>The words between the full and the empty ones, and the state.</summary>
    private readonly record struct Entry(int FullWords, int State, bool IsUnobserved, ulong[] Words)
    {
        public static readonly IEqualityComparer<Entry> Comparer = EqualityComparer<Entry>.Create(AreEqual, HashOf);

        private static bool AreEqual(Entry left, Entry right) =>
            left.FullWords == right.FullWords && left.State == right.State && left.IsUnobserved == right.IsUnobserved
            && left.Words.AsSpan().SequenceEqual(right.Words);

        private static int HashOf(Entry entry)
        {
            var hash = ((ulong)(uint)entry.State << 32) ^ ((ulong)(uint)entry.FullWords << 1)
                ^ (entry.IsUnobserved ? 1UL : 0);
            foreach (var word in entry.Words)
            {
                hash = (hash ^ word) * 0x9E3779B97F4A7C15UL;
                hash ^= hash >> 29;
            }

            return (int)(hash ^ (hash >> 32));
        }
    }
}
