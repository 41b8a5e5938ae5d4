using System.Buffers.Binary;
using System.Numerics;

namespace Kvorum.Kv;

/// <summary>
/// A chained 64-bit hash: finds replicas that diverged, and commands that differ under one sequence. Not against
/// attackers. Equal on every machine and version, because it stands in snapshots (docs/formats.md, "State hash").
/// </summary>
/// <remarks>
/// Each 16 bytes are folded by one 64 × 64 → 128 bit multiplication. Long inputs run in two chains, because one chain
/// would wait for its own multiplication.
/// </remarks>
internal struct StateHash(ulong value)
{
    private const ulong First = 0x9E37_79B9_7F4A_7C15;  // 2^64 divided by the golden ratio.
    private const ulong Second = 0xC2B2_AE3D_27D4_EB4F; // Odd, with half of its bits set, like the two others.
    private const ulong Third = 0x8CB9_2BA7_2F3D_8DD7;

    private ulong _value = value;

    public readonly ulong Value => _value;

    /// <summary>The hash of one piece of bytes after a number, for fingerprints.</summary>
    public static ulong Of(ulong number, ReadOnlySpan<byte> bytes)
    {
        var hash = new StateHash(First);
        hash.Add(number, (ulong)bytes.Length);
        hash.Add(bytes);
        return hash._value;
    }

    public void Add(ulong left, ulong right) => _value = Mix(_value, left, right);

    public void Add(long left, long right) => Add((ulong)left, (ulong)right);

    /// <summary>Adds bytes with their length, so that two neighbours cannot trade bytes unseen.</summary>
    public void Add(ReadOnlySpan<byte> bytes)
    {
        var chain = Mix(_value, (ulong)bytes.Length, Third);
        if (bytes.Length >= 64)
        {
            var other = chain ^ Second;
            while (bytes.Length >= 32)
            {
                chain = Mix(chain, Word(bytes), Word(bytes[8..]));
                other = Mix(other, Word(bytes[16..]), Word(bytes[24..]));
                bytes = bytes[32..];
            }

            chain = Mix(chain, other, Third);
        }

        while (bytes.Length >= 16)
        {
            chain = Mix(chain, Word(bytes), Word(bytes[8..]));
            bytes = bytes[16..];
        }

        if (!bytes.IsEmpty)
        {
            Span<byte> last = stackalloc byte[16];
            last.Clear();
            bytes.CopyTo(last);
            chain = Mix(chain, Word(last), Word(last[8..]));
        }

        _value = chain;
    }

    private static ulong Word(ReadOnlySpan<byte> bytes) => BinaryPrimitives.ReadUInt64LittleEndian(bytes);

    /// <remarks>The rotated chain is added so that a factor of zero cannot wipe out what came before.</remarks>
    private static ulong Mix(ulong chain, ulong left, ulong right)
    {
        var high = Math.BigMul(left ^ First, right ^ chain ^ Second, out var low);
        return (high ^ low) + BitOperations.RotateLeft(chain, 29);
    }
}
