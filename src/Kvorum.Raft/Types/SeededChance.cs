namespace Kvorum.Raft;

/// <summary>The replica's own generator (SplitMix64): the same seed gives the same run, on every machine.</summary>
internal struct SeededChance(ulong seed)
{
    private ulong _state = seed;

    /// <summary>A number from <paramref name="min"/> to <paramref name="max"/>, both included.</summary>
    public int Between(int min, int max)
    {
        Invariant.Holds(min <= max, "A range has its ends in order.");
        return min + (int)(Next() % (ulong)(max - min + 1));
    }

    private ulong Next()
    {
        unchecked
        {
            _state += 0x9E3779B97F4A7C15;
            var mixed = _state;
            mixed = (mixed ^ (mixed >> 30)) * 0xBF58476D1CE4E5B9;
            mixed = (mixed ^ (mixed >> 27)) * 0x94D049BB133111EB;
            return mixed ^ (mixed >> 31);
        }
    }
}
