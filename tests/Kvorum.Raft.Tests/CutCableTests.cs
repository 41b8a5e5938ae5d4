namespace Kvorum.Raft.Tests;

/// <summary>
/// A leader that falls silent without any connection breaking (a cut cable, a stopped process): only the election
/// timeout
/// tells (thesis §3.4), and it must not take more than two and a half of them until another replica leads.
/// </summary>
public sealed class CutCableTests
{
    private const int ElectionTicks = 100;

    [Fact]
    public void Silent_leader_is_replaced_within_two_and_a_half_election_timeouts()
    {
        var ticks = new List<int>();
        for (var seed = 1UL; seed <= 200; seed++)
        {
            var cluster = new Cluster(3, id => new RaftOptions
            {
                Node = id,
                Group = new GroupId(1),
                Seed = (seed * 31) + id.Value,
                ElectionTicks = ElectionTicks,
            });
            cluster.StartAll();
            var cut = cluster.SettleWithLeader();
            cluster.IsConnected = (from, to) => from != cut.Id && to != cut.Id;
            ticks.Add(TicksUntilReplaced(cluster, cut));
            Assert.NotEqual(Role.Leader, cut.Raft!.Role);
        }

        // The last heartbeat may have been a moment before the cut.
        Assert.InRange(ticks.Min(), ElectionTicks - 10, ticks.Max());
        Assert.InRange(ticks.Max(), ElectionTicks, (ElectionTicks * 5) / 2);
    }

    private static int TicksUntilReplaced(Cluster cluster, ClusterNode cut)
    {
        for (var tick = 1; tick <= 10 * ElectionTicks; tick++)
        {
            cluster.TickAll();
            cluster.Settle();
            if (cluster.Nodes.Any(node => node != cut && node.Raft!.Role == Role.Leader))
            {
                return tick;
            }
        }

        Assert.Fail("Nobody replaced the silent leader.");
        return 0;
    }
}
