using System.Text;

namespace Kvorum.Raft.Tests;

/// <summary>Replicas in a known state, and the messages their peers send.</summary>
internal static class Replicas
{
    public static readonly GroupId Group = new(1);

    public static RaftOptions Options(ulong id = 1) => new() { Node = new NodeId(id), Group = Group, Seed = id };

    /// <summary>
    /// A replica 1 of <paramref name="nodes"/> voters that just started, with a log of entries of these terms.
    /// </summary>
    public static RaftNode Started(
        int nodes = 3, ulong term = 0, ulong? votedFor = null, ulong[]? log = null, RaftOptions? options = null, ulong applied = 0)
    {
        var entries = Entries(0, log ?? []);
        return new RaftNode(options ?? Options(), Recovered(nodes) with
        {
            HardState = new HardState(new Term(term), votedFor is { } id ? new NodeId(id) : null),
            Entries = entries,
            Applied = new LogIndex(applied),
        });
    }

    public static RecoveredState Recovered(int nodes) => new(
        new HardState(Term.Zero, null), EntryId.Start, null, LogIndex.Zero, Members(nodes), [], true, []);

    public static Membership Members(int nodes) => new(Enumerable.Range(1, nodes).Select(id => new NodeId((ulong)id)), []);

    public static SnapshotDescriptor Snapshot(ulong term, ulong index, int nodes = 3, ulong length = 100) =>
        new(Id(term, index), Members(nodes), length, 7);

    /// <summary>A follower of node 2, which it heard in <paramref name="term"/>.</summary>
    public static RaftNode Follower(ulong term = 1, ulong[]? log = null, int nodes = 3, RaftOptions? options = null)
    {
        var node = Started(nodes, term, log: log, options: options);
        node.Step(new Receive(Messages.Heartbeat(from: 2, term)));
        Assert.Equal(new NodeId(2), node.Leader);
        return node;
    }

    /// <summary>
    /// The leader of the term after <paramref name="term"/>; its no-op is written but not acknowledged.
    /// </summary>
    public static RaftNode Leader(ulong term = 0, ulong[]? log = null, int nodes = 3, RaftOptions? options = null)
    {
        var node = Candidate(term, log, nodes, options);
        for (ulong peer = 2; node.Role != Role.Leader; peer++)
        {
            node.Step(new Receive(Messages.VoteReply(from: peer, node.Term.Value, isPreVote: false)));
        }

        return node;
    }

    /// <summary>
    /// A leader whose no-op is durable everywhere and committed; it has one write behind it per step so far.
    /// </summary>
    public static RaftNode SettledLeader(int nodes = 3, RaftOptions? options = null, ulong[]? log = null, ulong term = 0)
    {
        var node = Leader(term, log, nodes, options);
        var last = node.LastEntry.Index.Value;
        for (ulong peer = 2; peer <= (ulong)nodes; peer++)
        {
            node.Step(new Receive(Messages.Accept(from: peer, node.Term.Value, last)));
        }

        node.Step(new Persisted(new WriteId(2)));
        node.Step(new Applied(new LogIndex(last)));
        Assert.Equal(last, node.CommitIndex.Value);
        return node;
    }

    /// <summary>A candidate of the term after <paramref name="term"/> whose own vote (write 1) is durable.</summary>
    public static RaftNode Candidate(ulong term = 0, ulong[]? log = null, int nodes = 3, RaftOptions? options = null)
    {
        var node = PreCandidate(term, log, nodes, options);
        for (ulong peer = 2; node.Role != Role.Candidate; peer++)
        {
            node.Step(new Receive(Messages.VoteReply(from: peer, node.Term.Value + 1, isPreVote: true)));
        }

        node.Step(new Persisted(new WriteId(1)));
        return node;
    }

    public static RaftNode PreCandidate(ulong term = 0, ulong[]? log = null, int nodes = 3, RaftOptions? options = null)
    {
        var node = Started(nodes, term, log: log, options: options);
        TickUntil(node, Role.PreCandidate);
        return node;
    }

    public static int TickUntil(RaftNode node, Role role, int ticksMax = 250)
    {
        for (var tick = 1; tick <= ticksMax; tick++)
        {
            node.Step(Tick.Instance);
            if (node.Role == role)
            {
                return tick;
            }
        }

        Assert.Fail($"Not {role} after {ticksMax} ticks.");
        return 0;
    }

    public static List<Message> TickFor(RaftNode node, int ticks)
    {
        var sent = new List<Message>();
        for (var tick = 0; tick < ticks; tick++)
        {
            sent.AddRange(node.Step(Tick.Instance).Send);
        }

        return sent;
    }

    public static EntryId Id(ulong term, ulong index) => new(new Term(term), new LogIndex(index));

    public static LogEntry[] Entries(ulong previous, params ulong[] terms) =>
        [.. terms.Select((term, i) => new LogEntry(
            Id(term, previous + (ulong)i + 1), EntryKind.Command, Encoding.UTF8.GetBytes($"{term}/{previous + (ulong)i + 1}")))];

    public static Propose Propose(params string[] commands) => Propose(1, commands);

    public static Propose Propose(ulong requestId, params string[] commands) =>
        new(commands.Select(text => (ReadOnlyMemory<byte>)Encoding.UTF8.GetBytes(text)).ToArray(), requestId);

    public static T Sent<T>(IEnumerable<Message> messages, ulong to)
        where T : Message => Assert.Single(messages.OfType<T>(), message => message.To.Value == to);
}

/// <summary>What peers of replica 1 send to it.</summary>
internal static class Messages
{
    private static readonly NodeId Me = new(1);

    public static Heartbeat Heartbeat(
        ulong from, ulong term, ulong commit = 0, ulong readRound = 0, ulong? commitTerm = null)
    {
        var id = commit == 0 ? EntryId.Start : new EntryId(new Term(commitTerm ?? term), new LogIndex(commit));
        return new(Replicas.Group, new NodeId(from), Me, new Term(term), id, readRound);
    }

    public static HeartbeatReply HeartbeatReply(ulong from, ulong term, ulong readRound = 0) =>
        new(Replicas.Group, new NodeId(from), Me, new Term(term), readRound);

    public static AppendEntries Append(ulong from, ulong term, EntryId previous, ulong commit, params LogEntry[] entries) =>
        new(Replicas.Group, new NodeId(from), Me, new Term(term), previous, new LogIndex(commit), entries);

    public static AppendReply Accept(ulong from, ulong term, ulong match) =>
        new(Replicas.Group, new NodeId(from), Me, new Term(term), true, new LogIndex(match), EntryId.Start);

    public static AppendReply Reject(ulong from, ulong term, ulong previous, EntryId hint) =>
        new(Replicas.Group, new NodeId(from), Me, new Term(term), false, new LogIndex(previous), hint);

    public static RequestVote RequestVote(
        ulong from, ulong term, EntryId last = default, bool isPreVote = false, ulong? lostLeader = null, bool isTransfer = false) =>
        new(Replicas.Group, new NodeId(from), Me, new Term(term), last, isPreVote,
            lostLeader is { } id ? new NodeId(id) : null, isTransfer);

    public static VoteReply VoteReply(ulong from, ulong term, bool isPreVote, bool granted = true) =>
        new(Replicas.Group, new NodeId(from), Me, new Term(term), isPreVote, granted);

    public static InstallSnapshot Install(ulong from, ulong term, SnapshotDescriptor snapshot, ulong offset, int bytes) =>
        new(Replicas.Group, new NodeId(from), Me, new Term(term), snapshot, offset, new byte[bytes]);

    public static InstallSnapshotReply InstallReply(ulong from, ulong term, EntryId last, ulong next, bool installed = false) =>
        new(Replicas.Group, new NodeId(from), Me, new Term(term), last, next, installed);
}
