using System.Text;

namespace Kvorum.Raft.Tests;

/// <summary>
/// A cluster that a seed plays with: what every such run does to network, links and processes, and the healing. What
/// it does besides, and how often, each run says itself.
/// </summary>
internal abstract class ClusterRun
{
    private const int StepsPerSeed = 4_000;

    private readonly bool[,] _cut;
    private int _proposals;

    /// <param name="options">Of each node, by its id.</param>
    /// <param name="voters">How many of the nodes vote at the start; null: all.</param>
    protected ClusterRun(int seed, int nodes, Func<NodeId, RaftOptions> options, int? voters = null)
    {
        Random = new Random(seed);
        _cut = new bool[nodes + 1, nodes + 1];
        Cluster = new Cluster(nodes, options, voters)
        {
            IsConnected = (from, to) => !_cut[from.Value, to.Value],
        };
    }

    protected Random Random { get; }

    protected Cluster Cluster { get; }

    /// <summary>The number of the last request.</summary>
    protected ulong Request { get; private set; }

    protected ulong NextRequest() => ++Request;

    protected ClusterNode AnyNode() => Cluster.Nodes[Random.Next(Cluster.Nodes.Length)];

    /// <summary>One random step.</summary>
    protected abstract void Act();

    protected void PlaySteps()
    {
        Cluster.StartAll();
        for (var step = 0; step < StepsPerSeed; step++)
        {
            Act();
            if (step % 50 == 0)
            {
                Cluster.CheckLogMatching();
            }
        }
    }

    /// <summary>Delivers a message, mostly the oldest; some are lost or come twice.</summary>
    protected void DeliverSome()
    {
        if (Cluster.Network.Count == 0)
        {
            return;
        }

        var position = Random.Next(4) == 0 ? Random.Next(Cluster.Network.Count) : 0;
        switch (Random.Next(40))
        {
            case 0: Cluster.Network.RemoveAt(position); break;
            case 1:
                Cluster.Network.Add(Cluster.Network[position]);
                Cluster.Deliver(position);
                break;
            default: Cluster.Deliver(position); break;
        }
    }

    protected void Propose(ClusterNode node, int count)
    {
        var commands = new ReadOnlyMemory<byte>[count];
        for (var i = 0; i < count; i++)
        {
            commands[i] = Encoding.UTF8.GetBytes($"c{++_proposals}{new string('x', Random.Next(12))}");
        }

        node.Step(new Propose(commands, NextRequest()));
    }

    protected void Cut(ClusterNode from, ClusterNode to) => _cut[from.Id.Value, to.Id.Value] = true;

    protected void Isolate(ClusterNode node)
    {
        for (var i = 1; i <= Cluster.Nodes.Length; i++)
        {
            _cut[node.Id.Value, i] = _cut[i, node.Id.Value] = true;
        }
    }

    protected void Mend() => Array.Clear(_cut);

    /// <summary>All links and nodes work again; after some ticks there is a leader.</summary>
    protected ClusterNode Heal(int ticks)
    {
        Mend();
        foreach (var node in Cluster.Nodes)
        {
            if (!node.IsUp)
            {
                node.Start();
            }

            foreach (var other in Cluster.Nodes)
            {
                node.Step(new ConnectionMade(other.Id));
            }
        }

        TickAndSettle(ticks);
        return Cluster.SettleWithLeader();
    }

    /// <summary>A last write reaches all members, and they agree.</summary>
    protected void CheckAgreement(ClusterNode leader, Func<ClusterNode, bool> isMember)
    {
        leader.Step(new Propose(new ReadOnlyMemory<byte>[] { "last"u8.ToArray() }, NextRequest()));
        Assert.Equal(ProposeResult.Appended, leader.LastProposed!.Value.Result);
        TickAndSettle(60);

        Cluster.CheckLogMatching();
        foreach (var node in Cluster.Nodes.Where(isMember))
        {
            Assert.True(
                Cluster.Committed == node.Applied, $"{node.Id} applied {node.Applied} of {Cluster.Committed}.");
            Assert.Equal(Cluster.StateAt(node.Applied), node.State);
        }
    }

    private void TickAndSettle(int ticks)
    {
        for (var tick = 0; tick < ticks; tick++)
        {
            Cluster.TickAll();
            Cluster.Settle();
        }
    }
}
