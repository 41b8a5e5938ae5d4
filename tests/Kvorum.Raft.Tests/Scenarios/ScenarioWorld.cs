using System.Globalization;
using System.Text;

namespace Kvorum.Raft.Tests;

/// <summary>
/// The commands of a scenario:
/// <code>
/// nodes COUNT [VOTERS]        a cluster that is not started yet; nodes after the voters know nobody
/// log ID: TERM TERM …         what is on a node's disk before the start, one command entry per term
/// campaign ID                 tick this node until it campaigns; deliver nothing
/// elect ID                    campaign, then settle
/// propose ID TEXT …           each word is a command
/// read ID                     a read barrier
/// tick ID|all COUNT           pass time; deliver nothing
/// run COUNT                   pass time everywhere and settle after each tick
/// settle                      deliver, sync and apply until nothing is left
/// deliver FROM TO             deliver the messages under way from one node to another, and what they wrote
/// drop FROM TO                lose the messages under way
/// partition ID … | ID …       cut the network into islands
/// heal                        no more cuts
/// lose ID PEER, join ID PEER  the connection to a peer broke, is there again
/// hold ID, release ID         the disk hangs, works again
/// sync ID                     the oldest write of a node becomes durable
/// crash ID, restart ID        what is not durable is lost
/// wipe ID                     nothing is left on the disk of a node that is down
/// add ID NEW, remove ID NODE, replace ID NODE NEW
///                             node ID is asked to change the membership
/// transfer ID [TO]            node ID is asked to hand leadership over
/// standing ID PEER yes|no [INCARNATION]
///                             node ID learns whether that directory of a peer, or its own, may vote
/// snapshot ID                 node ID takes one
/// show logs|roles|commits|states|reads|network|peers|events|members|changes|answers
/// </code>
/// </summary>
internal sealed class ScenarioWorld
{
    private readonly StringBuilder _output = new();
    private Cluster? _cluster;
    private bool _isStarted;
    private int[] _island = [];
    private ulong _request;
    private int _eventsShown;

    private Cluster Cluster => _cluster ?? throw new InvalidOperationException("A scenario begins with 'nodes'.");

    public string TakeOutput()
    {
        var output = _output.ToString();
        _output.Clear();
        return output;
    }

    public void Run(string line)
    {
        var words = line.Split(' ', StringSplitOptions.RemoveEmptyEntries);
        if (words[0] == "nodes")
        {
            MakeCluster(Number(words[1]), Number(words[^1]));
        }
        else if (words[0] == "log")
        {
            SetLog(Number(words[1].TrimEnd(':')), words[2..]);
        }
        else
        {
            if (!_isStarted)
            {
                _isStarted = true;
                Cluster.StartAll();
            }

            Command(words);
        }
    }

    private void Command(string[] words)
    {
        switch (words[0])
        {
            case "campaign": Campaign(Node(words[1])); break;
            case "elect": Campaign(Node(words[1])); Cluster.Settle(); break;
            case "propose": Propose(Node(words[1]), words[2..]); break;
            case "read": Node(words[1]).Step(new ReadBarrier(++_request)); break;
            case "tick": Tick(words[1], Number(words[2])); break;
            case "run": RunTicks(Number(words[1])); break;
            case "settle": Cluster.Settle(); break;
            case "deliver": Deliver(Node(words[1]).Id, Node(words[2]).Id); break;
            case "drop": Cluster.Network.RemoveAll(m => m.From == Node(words[1]).Id && m.To == Node(words[2]).Id); break;
            case "partition": Partition(words[1..]); break;
            case "heal": Array.Clear(_island); break;
            case "show": Show(words[1]); break;
            default: NodeCommand(words); break;
        }
    }

    private void NodeCommand(string[] words)
    {
        var node = Node(words[1]);
        switch (words[0])
        {
            case "lose": node.Step(new ConnectionLost(Node(words[2]).Id)); break;
            case "join": node.Step(new ConnectionMade(Node(words[2]).Id)); break;
            case "hold": node.IsDiskHeld = true; break;
            case "release": node.IsDiskHeld = false; break;
            case "sync": node.SyncOne(); break;
            case "crash": node.Crash(surviving: 0); break;
            case "restart": node.Start(); break;
            case "snapshot": node.TakeSnapshot(); break;
            case "wipe": node.Wipe(); break;
            case "standing": node.Step(StandingOf(words)); break;
            default: MemberCommand(node, words); break;
        }
    }

    private void MemberCommand(ClusterNode node, string[] words)
    {
        switch (words[0])
        {
            case "add": Change(node, MembershipChangeKind.Add, words[2], words[2]); break;
            case "learner": Change(node, MembershipChangeKind.Add, words[2], words[2], true); break;
            case "remove": Change(node, MembershipChangeKind.Remove, words[2], null); break;
            case "replace": Change(node, MembershipChangeKind.Replace, words[2], words[3]); break;
            case "transfer":
                NodeId? to = words.Length > 2 ? Node(words[2]).Id : null;
                node.Step(new TransferLeadership(to, ++_request));
                break;
            default: throw new InvalidOperationException($"Unknown command '{words[0]}'.");
        }
    }

    private void Change(
        ClusterNode node, MembershipChangeKind kind, string about, string? added, bool staysLearner = false)
    {
        var record = added is null ? null : MemberRecord.Of(Node(added).Id);
        var change = new MembershipChange(kind, Node(about).Id, record, staysLearner);
        node.Step(new ChangeMembers(change, IsDryRun: false, ++_request));
    }

    private Standing StandingOf(string[] words) => new(
        Node(words[2]).Id, words[3] == "yes", words.Length > 4 ? (ulong)Number(words[4]) : 0);

    private void MakeCluster(int count, int voters)
    {
        _island = new int[count + 1];
        _cluster = new Cluster(count, static id => new RaftOptions
        {
            Node = id,
            Group = new GroupId(1),
            Seed = id.Value,
            SnapshotChunkBytesMax = 16,
            TrailingEntries = 2,
        }, voters)
        {
            IsConnected = (from, to) => _island[from.Value] == _island[to.Value],
        };
    }

    private void SetLog(int id, string[] terms)
    {
        var entries = new List<LogEntry>();
        foreach (var word in terms)
        {
            var term = new Term((ulong)Number(word));
            entries.Add(new LogEntry(
                new EntryId(term, new LogIndex((ulong)entries.Count + 1)), EntryKind.Command, Encoding.UTF8.GetBytes($"t{term}")));
        }

        Cluster.Nodes[id - 1].SetDisk(new HardState(entries.Count == 0 ? Term.Zero : entries[^1].Term, null), entries);
    }

    private void Campaign(ClusterNode node)
    {
        var before = Cluster.Events.Count;
        for (var tick = 0; tick < 400; tick++)
        {
            node.Step(Kvorum.Raft.Tick.Instance);
            if (Cluster.Events.Skip(before).Any(text => text.Contains(nameof(CampaignStarted), StringComparison.Ordinal)))
            {
                return;
            }
        }

        throw new InvalidOperationException($"Node {node.Id} does not campaign.");
    }

    private void Propose(ClusterNode node, string[] commands)
    {
        node.Step(new Propose(
            commands.Select(command => (ReadOnlyMemory<byte>)Encoding.UTF8.GetBytes(command)).ToArray(), ++_request));
        if (node.LastProposed is { Result: not (ProposeResult.Appended or ProposeResult.Forwarded) } outcome)
        {
            Print($"propose {node.Id}: {outcome.Result}");
        }
    }

    private void Tick(string who, int count)
    {
        for (var i = 0; i < count; i++)
        {
            if (who == "all")
            {
                Cluster.TickAll();
            }
            else
            {
                Node(who).Step(Kvorum.Raft.Tick.Instance);
            }
        }
    }

    private void RunTicks(int count)
    {
        for (var i = 0; i < count; i++)
        {
            Cluster.TickAll();
            Cluster.Settle();
        }
    }

    private void Deliver(NodeId from, NodeId to)
    {
        for (var count = Cluster.Network.Count(m => m.From == from && m.To == to); count > 0; count--)
        {
            Cluster.Deliver(Cluster.Network.FindIndex(m => m.From == from && m.To == to));
        }

        foreach (var node in Cluster.Nodes)
        {
            node.SettleOnce();
        }
    }

    private void Partition(string[] words)
    {
        var island = 1;
        foreach (var word in words)
        {
            if (word == "|")
            {
                island++;
            }
            else
            {
                _island[Number(word)] = island;
            }
        }
    }

    private void Show(string what)
    {
        switch (what)
        {
            case "events": ShowEvents(""); break;
            case "changes": ShowEvents(nameof(MembershipChanged)); break;
            case "network": ShowNetwork(); break;
            default:
                foreach (var node in Cluster.Nodes)
                {
                    Print($"{node.Id}: {Describe(node, what)}");
                }

                break;
        }
    }

    private static string Describe(ClusterNode node, string what)
    {
        if (node.Raft is not { } raft)
        {
            return "down";
        }

        var start = node.LogStart.Index == LogIndex.Zero ? "" : $"[{node.LogStart}] ";
        return what switch
        {
            "logs" => start + string.Join(' ', node.Log.Select(entry => entry.Term.ToString())),
            "roles" => $"{raft.Role} term {raft.Term} leader {raft.Leader?.ToString() ?? "-"}",
            "commits" => $"commit {raft.CommitIndex} last {raft.LastEntry}",
            "states" => string.Join(' ', node.State),
            "reads" => string.Join(' ', node.Reads.Select(read => read.Accepted ? $"{read.RequestId}@{read.Index}" : $"{read.RequestId}:refused")),
            "members" => DescribeMembers(raft),
            "answers" => string.Join(", ", node.Admin.Select(DescribeAnswer)),
            "peers" => string.Join(", ", raft.Peers.Select(peer => $"{peer.Node} {peer.State} match {peer.Match} next {peer.Next}")),
            _ => throw new InvalidOperationException($"Cannot show '{what}'."),
        };
    }

    /// <summary>
    /// The membership in force, which one is committed when it is another, and how the node sees itself.
    /// </summary>
    private static string DescribeMembers(RaftNode raft)
    {
        var text = raft.Membership.ToString();
        text += raft.CommittedMembership.Equals(raft.Membership) ? "" : $"; committed {raft.CommittedMembership}";
        text += raft.MayVote ? "" : "; does not vote";
        return text + (raft.IsRemoved ? "; knows that it was removed" : "");
    }

    private static string DescribeAnswer(AdminOutcome answer) =>
        $"{answer.Result} {(answer.Entry == EntryId.Start ? answer.Reason : answer.Entry)}".TrimEnd();

    /// <summary>The events of this kind since events were last shown.</summary>
    private void ShowEvents(string kind)
    {
        var happened = Cluster.Events.Skip(_eventsShown);
        foreach (var text in happened.Where(text => text.Contains(kind, StringComparison.Ordinal)))
        {
            Print(text);
        }

        _eventsShown = Cluster.Events.Count;
    }

    private void ShowNetwork()
    {
        foreach (var (from, to, frame) in Cluster.Network)
        {
            Assert.True(MessageCodec.TryDecode(frame, out var message, out _));
            Print($"{from} -> {to} {message!.GetType().Name} term {message.Term}");
        }
    }

    private void Print(string line) => _output.Append(line.TrimEnd()).Append('\n');

    private ClusterNode Node(string word) => Cluster.Nodes[Number(word) - 1];

    private static int Number(string word) => int.Parse(word, CultureInfo.InvariantCulture);
}
