using Kvorum.Raft;

namespace Kvorum.Kv;

/// <summary>Numbers of the snapshot body's layout (docs/formats.md, "Snapshot body").</summary>
internal static class SnapshotFormat
{
    public const uint Magic = 0x5342_564B; // "KVBS" in the file's order of bytes.
    public const ushort Version = 2;
    public const int HeaderBytes = 4 + 2 + 8 + 8 + 8 + 8;

    public const byte EndTag = 0;
    public const byte RowTag = 1;

    public const byte TombstoneFlag = 1;
    public const byte LeaseFlag = 2;
    public const byte DetailFlag = 1;
    public const byte DetailDroppedFlag = 2;

    /// <summary>Row bytes after the tag, before lease, key and value.</summary>
    public const int RowBytes = 1 + 2 + 4 + 8 + 4 + 8 + 8;

    public const int SessionBytes = 16 + 8 + 8 + 4;
    public const int AnswerBytes = 8 + 8 + 8 + 8 + 1 + 1;

    public const int LeaseBytes = 8 + 8 + 8;

    /// <summary>Bytes handed to the sink at once.</summary>
    public const int ChunkBytes = 65_536;
}

/// <summary>What stands first in a snapshot body.</summary>
internal readonly record struct SnapshotHeader(
    LogIndex Applied, long Revision, long CompactedRevision, ulong StateHash);
