using System.Buffers;
using System.Text;

namespace Kvorum.Raft.Tests;

/// <summary>
/// Replicas and the network between them, driven step by step; checks Raft's safety properties (paper Fig. 3) always.
/// </summary>
internal sealed class Cluster
{
    private readonly Dictionary<ulong, NodeId> _leaders = [];
    private readonly List<LogEntry> _committed = [];

    /// <summary>Nodes 1 to <paramref name="count"/>; those after <paramref name="voters"/> know nobody yet.</summary>
    public Cluster(int count, Func<NodeId, RaftOptions> options, int? voters = null)
    {
        var nodes = Enumerable.Range(1, count).Select(id => new NodeId((ulong)id)).ToArray();
        var initial = new Membership(nodes.Take(voters ?? count), []);
        Nodes =
        [
            .. nodes.Select(id => new ClusterNode(
                this, options(id), initial.Contains(id) ? initial : Membership.Empty)),
        ];
    }

    public ClusterNode[] Nodes { get; }

    /// <summary>Encoded messages on their way, oldest first.</summary>
    public List<(NodeId From, NodeId To, byte[] Frame)> Network { get; } = [];

    /// <summary>Whether a message may travel; those that may not are lost when sent and when delivered.</summary>
    public Func<NodeId, NodeId, bool> IsConnected { get; set; } = static (_, _) => true;

    /// <summary>How many entries some replica has handed to its state machine.</summary>
    public LogIndex Committed => new((ulong)_committed.Count);

    public IReadOnlyList<LogEntry> CommittedEntries => _committed;

    public List<string> Events { get; } = [];

    public ClusterNode this[ulong id] => Nodes[id - 1];

    public ClusterNode? Leader =>
        Nodes.Where(node => node.Raft?.Role == Role.Leader).MaxBy(node => node.Raft!.Term);

    public void StartAll()
    {
        foreach (var node in Nodes)
        {
            node.Start();
        }
    }

    public void Post(Message message)
    {
        if (IsConnected(message.From, message.To))
        {
            var frame = new ArrayBufferWriter<byte>();
            MessageCodec.Encode(message, frame);
            Network.Add((message.From, message.To, frame.WrittenSpan.ToArray()));
        }
    }

    public void Deliver(int position)
    {
        var (from, to, frame) = Network[position];
        Network.RemoveAt(position);
        if (IsConnected(from, to))
        {
            Assert.True(MessageCodec.TryDecode(frame, out var message, out var error), error);
            Nodes[to.Value - 1].Step(new Receive(message!));
        }
    }

    /// <summary>Delivers, syncs and applies until nothing is left to do.</summary>
    public void Settle(int stepsMax = 100_000)
    {
        for (var step = 0; step < stepsMax; step++)
        {
            var any = false;
            foreach (var node in Nodes)
            {
                any |= node.SettleOnce();
            }

            if (Network.Count > 0)
            {
                Deliver(0);
                any = true;
            }

            if (!any)
            {
                return;
            }
        }

        Assert.Fail("The cluster does not come to rest.");
    }

    public void TickAll()
    {
        foreach (var node in Nodes)
        {
            node.Step(Tick.Instance);
        }
    }

    /// <summary>
    /// Ticks and settles until one replica leads and all others follow it, at most <paramref name="ticksMax"/> ticks.
    /// </summary>
    public ClusterNode SettleWithLeader(int ticksMax = 1_000)
    {
        for (var tick = 0; tick < ticksMax; tick++)
        {
            TickAll();
            Settle();
            if (Leader is { } leader
                && Nodes.All(node => !node.IsUp || !IsMember(leader, node) || node.Raft!.Leader == leader.Id))
            {
                return leader;
            }
        }

        Assert.Fail("No leader was elected.");
        throw new InvalidOperationException();
    }

    public static bool IsMember(ClusterNode leader, ClusterNode node) => leader.Raft!.Membership.Contains(node.Id);

    public void AfterStep(ClusterNode node, Effects effects)
    {
        foreach (var happened in effects.Events)
        {
            Events.Add($"{node.Id}: {happened}");
        }

        var raft = node.Raft!;
        if (raft.Role == Role.Leader)
        {
            if (_leaders.TryGetValue(raft.Term.Value, out var known))
            {
                Assert.True(known == node.Id, $"Election safety: {known} and {node.Id} both lead term {raft.Term}.");
            }
            else
            {
                _leaders.Add(raft.Term.Value, node.Id);
                CheckLeaderCompleteness(node);
            }
        }
    }

    public void NoteCommitted(NodeId node, LogEntry entry)
    {
        if (entry.Index.Value == (ulong)_committed.Count + 1)
        {
            _committed.Add(entry with { Payload = entry.Payload.ToArray() });
            return;
        }

        Assert.True(entry.Index <= Committed, $"{node} skips committed entries before {entry.Id}.");
        var known = _committed[(int)entry.Index.Value - 1];
        Assert.True(
            known.Id == entry.Id && known.Payload.Span.SequenceEqual(entry.Payload.Span),
            $"State machine safety: {node} applies {entry.Id} where {known.Id} is committed.");
    }

    public void NoteInstalled(ClusterNode node, SnapshotDescriptor snapshot) =>
        Assert.Equal(StateAt(snapshot.LastIncluded.Index), node.State);

    /// <summary>What the state machine must be once <paramref name="index"/> is applied.</summary>
    public List<string> StateAt(LogIndex index) =>
        [.. _committed.Take((int)index.Value).Where(entry => entry.Kind == EntryKind.Command)
            .Select(entry => Encoding.UTF8.GetString(entry.Payload.Span))];

    /// <summary>Two logs with the same entry are the same up to it (paper Fig. 3, log matching).</summary>
    public void CheckLogMatching()
    {
        foreach (var left in Nodes)
        {
            foreach (var right in Nodes.Where(node => node.Id.CompareTo(left.Id) > 0))
            {
                CheckLogMatching(left, right);
            }
        }
    }

    private static void CheckLogMatching(ClusterNode left, ClusterNode right)
    {
        var start = Math.Max(left.LogStart.Index.Value, right.LogStart.Index.Value);
        var leftLog = left.Log.Where(entry => entry.Index.Value > start).ToArray();
        var rightLog = right.Log.Where(entry => entry.Index.Value > start).ToArray();
        var same = false;
        for (var i = Math.Min(leftLog.Length, rightLog.Length) - 1; i >= 0; i--)
        {
            if (leftLog[i].Id == rightLog[i].Id)
            {
                same = true;
                Assert.True(leftLog[i].Payload.Span.SequenceEqual(rightLog[i].Payload.Span), $"Log matching at {leftLog[i].Id}.");
            }

            Assert.False(same && leftLog[i].Id != rightLog[i].Id, $"Log matching: {leftLog[i].Id} against {rightLog[i].Id}.");
        }
    }

    private void CheckLeaderCompleteness(ClusterNode leader)
    {
        foreach (var entry in _committed.Where(entry => entry.Index > leader.LogStart.Index))
        {
            var at = (int)(entry.Index.Value - leader.LogStart.Index.Value - 1);
            Assert.True(
                at < leader.Log.Count && leader.Log[at].Id == entry.Id,
                $"Leader completeness: {leader.Id} leads term {leader.Raft!.Term} without {entry.Id}.");
        }
    }
}
