using System.Buffers;
using Kvorum.Raft;

namespace Kvorum.Simulator.Tests;

/// <summary>Made-up steps of made-up replicas, told to the rules as a world would tell them.</summary>
internal sealed class RuleBench
{
    private static readonly GroupId Group = new(1);
    private readonly Rules _rules = new(new SimSettings());
    private readonly Dictionary<int, (ReplicaView View, ulong Write)> _nodes = [];
    private readonly Dictionary<ulong, int> _elected = [];

    public RuleBench(int nodes = 3)
    {
        _rules.Attach(new SimWorld(1, null), (rule, text) => Broken.Add($"{rule}: {text}"));
        var voters = new Membership(Enumerable.Range(1, nodes).Select(node => new NodeId((ulong)node)), []);
        for (var node = 1; node <= nodes; node++)
        {
            Start(node, voters, EntryId.Start);
        }
    }

    /// <summary>"RULE: explanation" of everything that was reported.</summary>
    public List<string> Broken { get; } = [];

    public static LogEntry Entry(ulong term, ulong index, string text = "") => new(
        new EntryId(new Term(term), new LogIndex(index)), EntryKind.Command, System.Text.Encoding.UTF8.GetBytes(text));

    /// <summary>A step that appends, and changes role, term and commit index as told.</summary>
    /// <param name="isSynced">Whether the write of the step is durable at once.</param>
    public RuleBench Step(
        int node, Role? role = null, ulong? term = null, ulong? commit = null, bool isSynced = true,
        params LogEntry[] append)
    {
        var (view, write) = _nodes[node];
        var effects = new Effects();
        foreach (var entry in append)
        {
            effects.AddAppend(entry);
        }

        view = view with
        {
            Role = role ?? view.Role,
            Term = new Term(term ?? view.Term.Value),
            Commit = new LogIndex(commit ?? view.Commit.Value),
            Last = append.Length > 0 ? append[^1].Id : view.Last,
        };
        if (view.Role is Role.Leader)
        {
            Elect(node, view.Term);
        }

        effects.Write = append.Length > 0 ? new WriteId(++write) : WriteId.None;
        _nodes[node] = (view, write);
        _rules.Stepped(node, view, Tick.Instance, effects);
        if (isSynced)
        {
            _rules.Synced(node, new WriteId(write));
        }

        return this;
    }

    /// <summary>The node's log begins anew after an entry, as an installed snapshot makes it.</summary>
    public RuleBench Reset(int node, EntryId start)
    {
        var (view, write) = _nodes[node];
        var effects = new Effects { LogStart = start, Write = new WriteId(write + 1) };
        view = view with { LogStart = start, Last = start, Commit = LogIndex.Max(view.Commit, start.Index) };
        _nodes[node] = (view, write + 1);
        _rules.Stepped(node, view, Tick.Instance, effects);
        return this;
    }

    /// <summary>The process ended and another one finds this on the disk.</summary>
    public RuleBench Restart(int node, ulong term, params LogEntry[] found) =>
        Restart(node, term, EntryId.Start, found);

    /// <summary>The same with a log that begins after an entry.</summary>
    public RuleBench Restart(int node, ulong term, EntryId logStart, params LogEntry[] found)
    {
        _rules.Stopped(node, losesPower: true);
        var voters = new Membership(_nodes.Keys.Order().Select(place => new NodeId((ulong)place)), []);
        Start(node, voters, logStart, term, found);
        return this;
    }

    public RuleBench Damage(int node, FaultKind kind)
    {
        _rules.Struck(new Fault(1, kind, 0, 0, [node], 0));
        return this;
    }

    /// <summary>Everybody votes for the node, once.</summary>
    private void Elect(int node, Term term)
    {
        if (_elected.TryAdd(term.Value, node))
        {
            foreach (var voter in _nodes.Keys)
            {
                var vote = new VoteReply(Group, new NodeId((ulong)voter), new NodeId((ulong)node), term, false, true);
                var frame = new ArrayBufferWriter<byte>();
                MessageCodec.Encode(vote, frame);
                _rules.FrameSent(voter, node, vote, frame.WrittenMemory);
            }
        }
    }

    private void Start(int node, Membership voters, EntryId logStart, ulong term = 0, params LogEntry[] found)
    {
        var last = found.Length > 0 ? found[^1].Id : logStart;
        var view = new ReplicaView(Role.Follower, new Term(term), LogIndex.Zero, logStart, last);
        _nodes[node] = (view, 0);
        _rules.Started(node, view, new RecoveredState(
            new HardState(new Term(term), null), logStart, null, LogIndex.Zero, voters, found, true, []));
    }
}
