namespace Kvorum.Raft;

/// <summary>What identifies a Raft snapshot: the log prefix it replaces and who was a member then (paper §7).</summary>
/// <param name="LastIncluded">The last entry the snapshot replaces.</param>
/// <param name="Membership">The membership in force at <paramref name="LastIncluded"/>.</param>
/// <param name="Length">Size of the snapshot file in bytes.</param>
/// <param name="Checksum">
/// CRC32C over the whole file; with the two above it tells whether a transfer may be resumed.
/// </param>
public sealed record SnapshotDescriptor(EntryId LastIncluded, Membership Membership, ulong Length, uint Checksum);
