using Kvorum.Kv;

namespace Kvorum.Node;

/// <summary>Settings of a node, validated by <see cref="KvorumNode"/> and fixed for its life.</summary>
public sealed record NodeOptions
{
    /// <summary>A name for people, in logs and status.</summary>
    public required string Name { get; init; }

    /// <summary>Never 0, different on every node of the cluster.</summary>
    public required ulong Node { get; init; }

    /// <summary>Equal on every node of the cluster; nodes of other clusters are refused.</summary>
    public required ulong ClusterId { get; init; }

    /// <summary>
    /// The voters of a new cluster by id alone, this node included, where only the transport knows addresses; ignored
    /// when <see cref="InitialMembers"/> are given or once the directory knows better.
    /// </summary>
    public IReadOnlyList<ulong> Voters { get; init; } = [];

    /// <summary>
    /// The voters of a new cluster with their addresses, this node included; ignored once the directory knows better.
    /// With <see cref="IsJoining"/> they are only whom to contact, and this node need not be among them.
    /// </summary>
    public IReadOnlyList<MemberAddress> InitialMembers { get; init; } = [];

    /// <summary>
    /// This node joins an existing cluster: on a new directory it knows no member, neither votes nor campaigns, and
    /// waits for the leader to add it.
    /// </summary>
    public bool IsJoining { get; init; }

    /// <summary>The data directory; created when missing. One process at a time.</summary>
    public required string DataPath { get; init; }

    /// <summary>
    /// Written into the directory's lock file, for a second process to name the owner, e.g. "pid 4711".
    /// </summary>
    public string OwnerNote { get; init; } = "another process";

    /// <summary>Makes the storage engine. Default: in memory.</summary>
    public Func<IEngine> OpenEngine { get; init; } = MemoryEngine.Create;

    /// <summary>Logical time. Default 10 ms.</summary>
    public TimeSpan TickInterval { get; init; } = TimeSpan.FromMilliseconds(10);

    /// <summary>A leader's heartbeats. Default 10 ticks.</summary>
    public int HeartbeatTicks { get; init; } = 10;

    /// <summary>A follower campaigns after this long plus a random share without a leader. Default 100 ticks.</summary>
    public int ElectionTicks { get; init; } = 100;

    /// <summary>
    /// The most proposals and reads waiting in the inbox, each. Default 65,536; more are answered "overloaded".
    /// </summary>
    public int InboxMax { get; init; } = 65_536;

    /// <summary>The most bytes of proposals waiting in the inbox. Default 64 MiB.</summary>
    public long InboxBytesMax { get; init; } = 64L * 1024 * 1024;

    /// <summary>
    /// A snapshot is taken when the log since the last one passes this and the last snapshot's size. Default 256 MiB.
    /// </summary>
    public long SnapshotLogBytes { get; init; } = 256L * 1024 * 1024;

    /// <summary>Applied entries kept in the log before a snapshot. Default 10,000.</summary>
    public ulong TrailingEntries { get; init; } = 10_000;

    /// <summary>Size of one log segment. Default 64 MiB.</summary>
    public long WalSegmentBytes { get; init; } = 64L * 1024 * 1024;

    /// <summary>
    /// The most bytes of snapshots sent to peers per second, over all of them, so that bringing one up to date leaves
    /// room for the rest. Default 64 MiB.
    /// </summary>
    public long SnapshotBytesPerSecond { get; init; } = 64L * 1024 * 1024;

    /// <summary>
    /// A leader whose log syncs take longer than this, and than half an election timeout, hands over to a voter that is
    /// caught up. Default 500 ms.
    /// </summary>
    public TimeSpan SlowSyncMax { get; init; } = TimeSpan.FromMilliseconds(500);

    /// <summary>
    /// Client sessions unused for this long are forgotten. Default 1 hour. Longer than a copy of a request can be under
    /// way, a paused node's socket included: a session's first command, coming again after that, runs again.
    /// </summary>
    public TimeSpan SessionIdleMax { get; init; } = TimeSpan.FromHours(1);

    /// <summary>The most entries in one message to a follower. Default 1,024.</summary>
    public int AppendEntriesMax { get; init; } = 1024;

    /// <summary>The most unanswered messages with entries per follower. Default 256.</summary>
    public int InflightMessagesMax { get; init; } = 256;

    /// <summary>Payload of one chunk of a snapshot sent to a peer, in bytes, at most 1 MiB. Default 256 KiB.</summary>
    public int SnapshotChunkBytesMax { get; init; } = 256 * 1024;

    /// <summary>
    /// The most chunks of a snapshot under way to one peer, 1 to 64. Default 8: 2 MiB, which a way there and back of
    /// 40 ms carries at 50 MiB/s.
    /// </summary>
    public int SnapshotChunksInflightMax { get; init; } = 8;

    /// <summary>Events kept for watchers that keep up, at least 1. Default 65,536.</summary>
    public int WatchRecentEventsMax { get; init; } = WatchLimits.RecentEventsMax;

    /// <summary>
    /// Events that wait for one watcher, at least 1; a watcher with more reads on from the store. Default 1,024.
    /// </summary>
    public int WatchQueuedEventsMax { get; init; } = WatchLimits.QueuedEventsMax;

    /// <summary>Sees what the replica does, for the simulator's invariants; null in a live node.</summary>
    internal ReplicaObserver? Observer { get; init; }

    /// <summary>The initial cluster, or the contacts of a joining node.</summary>
    internal IReadOnlyList<MemberAddress> Initial => InitialMembers.Count > 0
        ? InitialMembers
        : [.. Voters.Select(node => new MemberAddress(node, "", "", []))];

    /// <exception cref="ArgumentException">
    /// An option is out of range; the message names it, what was expected and found.
    /// </exception>
    internal void Validate()
    {
        Require(Node != 0, nameof(Node), "a number other than 0", Node);
        var initial = Initial;
        var nodes = initial.Select(member => member.Node).ToArray();
        var list = InitialMembers.Count > 0 ? nameof(InitialMembers) : nameof(Voters);
        Require(IsJoining || nodes.Contains(Node), list, $"a list with node {Node:x} itself in it", nodes.Length);
        Require(nodes.Distinct().Count() == nodes.Length, list, "each node once", nodes.Length);
        Require(nodes.Length <= NodesMax, list, $"at most {NodesMax} nodes", nodes.Length);
        foreach (var member in initial)
        {
            var bytes = member.ToRecord().TextBytes;
            var most = Raft.MemberRecord.TextBytesMax;
            Require(bytes <= most, list, $"at most {most} bytes of name and addresses", bytes);
            var urls = member.ClientUrls.Count;
            Require(urls <= Raft.MemberRecord.ClientUrlsMax, list, "at most 16 client URLs", urls);
        }

        Require(DataPath.Length > 0, nameof(DataPath), "a path", "nothing");
        Require(TickInterval >= TimeSpan.FromMilliseconds(1), nameof(TickInterval), "at least 1 ms", TickInterval);
        Require(HeartbeatTicks >= 1, nameof(HeartbeatTicks), "at least 1", HeartbeatTicks);
        Require(ElectionTicks >= 2 * HeartbeatTicks, nameof(ElectionTicks), "at least two heartbeats", ElectionTicks);
        Require(InboxMax >= 1, nameof(InboxMax), "at least 1", InboxMax);
        Require(InboxBytesMax >= KvLimits.CommandBytesMax, nameof(InboxBytesMax), "room for one command", InboxBytesMax);
        Require(SnapshotLogBytes >= 1, nameof(SnapshotLogBytes), "at least 1", SnapshotLogBytes);
        Require(SnapshotBytesPerSecond >= 1, nameof(SnapshotBytesPerSecond), "at least 1", SnapshotBytesPerSecond);
        Require(SlowSyncMax > TimeSpan.Zero, nameof(SlowSyncMax), "more than 0", SlowSyncMax);
        Require(SessionIdleMax >= TimeSpan.FromSeconds(1), nameof(SessionIdleMax), "at least 1 s", SessionIdleMax);
        Require(WatchRecentEventsMax > 0, nameof(WatchRecentEventsMax), "at least 1", WatchRecentEventsMax);
        Require(WatchQueuedEventsMax > 0, nameof(WatchQueuedEventsMax), "at least 1", WatchQueuedEventsMax);
        Require(AppendEntriesMax >= 1, nameof(AppendEntriesMax), "at least 1", AppendEntriesMax);
        Require(InflightMessagesMax >= 1, nameof(InflightMessagesMax), "at least 1", InflightMessagesMax);
        Require(
            SnapshotChunkBytesMax is >= 1 and <= ChunkBytesMax, nameof(SnapshotChunkBytesMax), "1 byte to 1 MiB",
            SnapshotChunkBytesMax);
        Require(
            SnapshotChunksInflightMax is >= 1 and <= ChunksMax, nameof(SnapshotChunksInflightMax), "1 to 64 chunks",
            SnapshotChunksInflightMax);
    }

    private const int NodesMax = 16;
    private const int ChunkBytesMax = 1024 * 1024;
    private const int ChunksMax = 64;

    private static void Require(bool condition, string option, string expected, object found)
    {
        if (!condition)
        {
            throw new ArgumentException($"{option}: expected {expected}, found {found}.", option);
        }
    }
}
