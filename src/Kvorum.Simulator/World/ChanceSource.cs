using System.Numerics;

namespace Kvorum.Simulator;

/// <summary>The draws of one entity (link, disk, worker) in their order; others' draws do not move them.</summary>
internal sealed class ChanceSource(KeyedChance chance, ChanceStream stream, ulong entity)
{
    private ulong _counter;

    public ulong Bits() => chance.Bits(stream, entity, _counter++);

    public int Below(int bound) => bound <= 1 ? 0 : chance.Below(bound, stream, entity, _counter++);

    public bool Hits(int perMillion) => perMillion > 0 && chance.Hits(perMillion, stream, entity, _counter++);

    /// <summary>From <paramref name="min"/> to <paramref name="max"/>, both included.</summary>
    public long Between(long min, long max) =>
        max <= min ? min : min + (long)Math.BigMul(Bits(), (ulong)(max - min + 1), out _);

    /// <summary>An exponential distribution in whole numbers only, the same on every processor.</summary>
    public long Exponential(long mean)
    {
        if (mean <= 0)
        {
            return 0;
        }

        // -log2 of a number in (0, 1]: leading zeros, and the rest of the way in a straight line.
        var bits = Bits() | 1;
        var zeros = BitOperations.LeadingZeroCount(bits);
        var fraction = ((bits << zeros) >> 47) & 0xFFFF;
        var log2 = ((ulong)zeros << 16) + 65536 - fraction;
        const ulong NaturalLog2 = 45_426; // ln 2 in 1/65,536.
        return (long)(((log2 * NaturalLog2) >> 16) * (ulong)mean >> 16);
    }

    /// <summary>One of the places of a list.</summary>
    public T Pick<T>(IReadOnlyList<T> list) => list[Below(list.Count)];

    /// <summary>Puts a list into an order of chance.</summary>
    public void Shuffle<T>(IList<T> list)
    {
        for (var i = list.Count - 1; i > 0; i--)
        {
            var other = Below(i + 1);
            (list[i], list[other]) = (list[other], list[i]);
        }
    }
}
