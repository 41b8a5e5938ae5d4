using System.Globalization;
using System.Text;

namespace Kvorum.Raft.Tests;

/// <summary>
/// The commands of a scenario:
/// <code>
/// nodes COUNT                 a cluster that is not started yet
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
/// snapshot ID, transfer ID, standing ID PEER yes|no
/// show logs|roles|commits|states|reads|network|peers|events
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
            MakeCluster(Number(words[1]));
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
            case "transfer": node.Step(new TransferLeadership()); break;
            case "standing": node.Step(new Standing(Node(words[2]).Id, words[3] == "yes")); break;
            default: throw new InvalidOperationException($"Unknown command '{words[0]}'.");
        }
    }

    private void MakeCluster(int count)
    {
        _island = new int[count + 1];
        _cluster = new Cluster(count, static id => new RaftOptions
        {
            Node = id,
            Group = new GroupId(1),
            Seed = id.Value,
            SnapshotChunkBytesMax = 16,
            TrailingEntries = 2,
        })
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
            case "events": ShowEvents(); break;
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
            "peers" => string.Join(", ", raft.Peers.Select(peer => $"{peer.Node} {peer.State} match {peer.Match} next {peer.Next}")),
            _ => throw new InvalidOperationException($"Cannot show '{what}'."),
        };
    }

    private void ShowEvents()
    {
        foreach (var text in Cluster.Events.Skip(_eventsShown))
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
