namespace Kvorum.Simulator;

/// <summary>What a draw is for. Stable numbers: a seed replays only as long as they stay.</summary>
public enum ChanceStream : byte
{
    Settings = 1,
    Plan = 2,
    Workload = 3,
    Network = 4,
    Disk = 5,
    Clock = 6,
    Executor = 7,
    Node = 8,
    Phase = 9,
    Site = 10,
    Loss = 11,
    Fault = 12,
    Machine = 13,
    Watch = 14,
}

/// <summary>
/// Randomness by key, not by order: each draw is a hash of (seed, stream, entity, counter). So removing one fault or
/// operation from a plan shifts no other draw, which is what makes shrinking work.
/// </summary>
public readonly record struct KeyedChance(ulong Seed)
{
    /// <summary>64 random bits for the <paramref name="counter"/>-th draw of an entity.</summary>
    public ulong Bits(ChanceStream stream, ulong entity, ulong counter)
    {
        var state = Mix(Seed + 0x9E3779B97F4A7C15UL * ((ulong)stream + 1));
        state = Mix(state ^ (entity * 0xD1B54A32D192ED03UL + 0x8CB92BA72F3D8DD7UL));
        return Mix(state ^ (counter * 0xAEF17502108EF2D9UL + 0x2545F4914F6CDD1DUL));
    }

    /// <summary>A number from 0 to <paramref name="bound"/> − 1.</summary>
    public int Below(int bound, ChanceStream stream, ulong entity, ulong counter) =>
        (int)Math.BigMul(Bits(stream, entity, counter), (ulong)bound, out _);

    /// <summary>True <paramref name="perMillion"/> times in a million.</summary>
    public bool Hits(int perMillion, ChanceStream stream, ulong entity, ulong counter) =>
        perMillion > 0 && Below(1_000_000, stream, entity, counter) < perMillion;

    private static ulong Mix(ulong value)
    {
        value = (value ^ (value >> 30)) * 0xBF58476D1CE4E5B9UL;
        value = (value ^ (value >> 27)) * 0x94D049BB133111EBUL;
        return value ^ (value >> 31);
    }
}
