using System.Buffers.Binary;
using System.Diagnostics.CodeAnalysis;

using Kvorum.Raft;

namespace Kvorum.Storage;

/// <summary>The bytes of the file "identity".</summary>
/// <remarks>
/// <code>
/// 0        8       12       16       20       24       32       40        48       52       56
/// │ magic  │version│ length │checksum│ flags  │cluster │  node  │incarn-  │ peers  │reserved│ peers …  │
/// │KVIDENT1│u32 = 1│  u32   │  u32   │  u32   │  u64   │  u64   │ation u64│  u32   │  u32   │ 24 each  │
/// </code>
/// </remarks>
internal static class IdentityFile
{
    public const int PeersMax = 1024;
    public const int BytesMax = HeaderBytes + PeersMax * PeerBytes;

    private const uint Version = 1;
    private const int HeaderBytes = 56;
    private const int PeerBytes = 24;
    private const int ChecksumAt = 16;
    private const uint MayVoteFlag = 1;
    private const uint HasLogFlag = 2;
    private const uint IsDamagedFlag = 4;
    private const uint IsMendedFlag = 8;
    private const uint IsReplacedFlag = 1;

    private static ReadOnlySpan<byte> Magic => "KVIDENT1"u8;

    public static byte[] Write(NodeIdentity identity, LogMarks marks)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan(identity.Peers.Count, PeersMax);
        var bytes = new byte[HeaderBytes + identity.Peers.Count * PeerBytes];
        Magic.CopyTo(bytes);
        BinaryPrimitives.WriteUInt32LittleEndian(bytes.AsSpan(8), Version);
        BinaryPrimitives.WriteUInt32LittleEndian(bytes.AsSpan(12), (uint)bytes.Length);
        var flags = (identity.MayVote ? MayVoteFlag : 0) | (marks.HasLog ? HasLogFlag : 0)
            | (marks.IsDamaged ? IsDamagedFlag : 0) | (marks.IsMended ? IsMendedFlag : 0);
        BinaryPrimitives.WriteUInt32LittleEndian(bytes.AsSpan(20), flags);
        BinaryPrimitives.WriteUInt64LittleEndian(bytes.AsSpan(24), identity.ClusterId);
        BinaryPrimitives.WriteUInt64LittleEndian(bytes.AsSpan(32), identity.Node.Value);
        BinaryPrimitives.WriteUInt64LittleEndian(bytes.AsSpan(40), identity.Incarnation);
        BinaryPrimitives.WriteUInt32LittleEndian(bytes.AsSpan(48), (uint)identity.Peers.Count);
        for (var i = 0; i < identity.Peers.Count; i++)
        {
            var peer = bytes.AsSpan(HeaderBytes + i * PeerBytes);
            BinaryPrimitives.WriteUInt64LittleEndian(peer, identity.Peers[i].Node.Value);
            BinaryPrimitives.WriteUInt64LittleEndian(peer[8..], identity.Peers[i].Incarnation);
            BinaryPrimitives.WriteUInt32LittleEndian(peer[16..], identity.Peers[i].IsReplaced ? IsReplacedFlag : 0);
        }

        BinaryPrimitives.WriteUInt32LittleEndian(bytes.AsSpan(ChecksumAt), Crc32C.Of(bytes));
        return bytes;
    }

    public static bool TryRead(
        ReadOnlySpan<byte> input, [NotNullWhen(true)] out NodeIdentity? identity, out LogMarks marks)
    {
        identity = null;
        marks = default;
        if (input.Length is < HeaderBytes or > BytesMax || !input.StartsWith(Magic))
        {
            return false;
        }

        var bytes = input.ToArray();
        bytes.AsSpan(ChecksumAt, 4).Clear();
        var count = BinaryPrimitives.ReadUInt32LittleEndian(input[48..]);
        if (Crc32C.Of(bytes) != BinaryPrimitives.ReadUInt32LittleEndian(input[ChecksumAt..])
            || BinaryPrimitives.ReadUInt32LittleEndian(input[8..]) != Version
            || BinaryPrimitives.ReadUInt32LittleEndian(input[12..]) != input.Length
            || count > PeersMax || input.Length != HeaderBytes + (int)count * PeerBytes)
        {
            return false;
        }

        var flags = BinaryPrimitives.ReadUInt32LittleEndian(input[20..]);
        marks = new LogMarks(
            (flags & HasLogFlag) != 0, (flags & IsDamagedFlag) != 0, (flags & IsMendedFlag) != 0);
        identity = new NodeIdentity(
            BinaryPrimitives.ReadUInt64LittleEndian(input[24..]),
            new NodeId(BinaryPrimitives.ReadUInt64LittleEndian(input[32..])),
            BinaryPrimitives.ReadUInt64LittleEndian(input[40..]),
            (flags & MayVoteFlag) != 0,
            ReadPeers(input[HeaderBytes..]));
        return true;
    }

    private static PeerIdentity[] ReadPeers(ReadOnlySpan<byte> input)
    {
        var peers = new PeerIdentity[input.Length / PeerBytes];
        for (var i = 0; i < peers.Length; i++)
        {
            var peer = input[(i * PeerBytes)..];
            peers[i] = new PeerIdentity(
                new NodeId(BinaryPrimitives.ReadUInt64LittleEndian(peer)),
                BinaryPrimitives.ReadUInt64LittleEndian(peer[8..]),
                (BinaryPrimitives.ReadUInt32LittleEndian(peer[16..]) & IsReplacedFlag) != 0);
        }

        return peers;
    }
}

/// <summary>What the identity remembers of the log beside it.</summary>
/// <param name="HasLog">There was a log here: from then on a directory without one has lost it.</param>
/// <param name="IsDamaged">Damage was seen, or a repair began: the next start repairs before it votes.</param>
/// <param name="IsMended">
/// The log was mended, and takes the place of the damaged one: whoever starts next goes on with that.
/// </param>
internal readonly record struct LogMarks(bool HasLog, bool IsDamaged, bool IsMended);
