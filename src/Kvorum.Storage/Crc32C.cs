using System.Buffers.Binary;
using System.Numerics;
using System.Runtime.InteropServices;

namespace Kvorum.Storage;

/// <summary>CRC32C (Castagnoli), eight bytes per step; the processor has an instruction for it.</summary>
internal static class Crc32C
{
    /// <summary>The checksum of <paramref name="bytes"/> alone.</summary>
    public static uint Of(ReadOnlySpan<byte> bytes) => ~Continue(uint.MaxValue, bytes);

    /// <summary>
    /// The checksum of <paramref name="bytes"/> with the register starting from <paramref name="start"/>.
    /// </summary>
    public static uint Of(uint start, ReadOnlySpan<byte> bytes) => ~Continue(start, bytes);

    /// <summary>
    /// The register after <paramref name="bytes"/>, for checksums over several pieces; the caller inverts the last one.
    /// </summary>
    public static uint Continue(uint register, ReadOnlySpan<byte> bytes)
    {
        if (BitConverter.IsLittleEndian)
        {
            foreach (var word in MemoryMarshal.Cast<byte, ulong>(bytes))
            {
                register = BitOperations.Crc32C(register, word);
            }

            bytes = bytes[(bytes.Length & ~7)..];
        }
        else
        {
            for (; bytes.Length >= 8; bytes = bytes[8..])
            {
                register = BitOperations.Crc32C(register, BinaryPrimitives.ReadUInt64LittleEndian(bytes));
            }
        }

        foreach (var value in bytes)
        {
            register = BitOperations.Crc32C(register, value);
        }

        return register;
    }
}
