namespace Kvorum.Raft.Tests;

/// <summary>
/// Nodes join, go, are replaced and lose their memory while the network drops, doubles and reorders messages and
/// processes crash. Safety is checked at every step, liveness after healing.
/// </summary>
public sealed class MembershipClusterTests
{
    private const int NodesMax = 7;

    [Theory]
    [InlineData(0, 100)]
    [InlineData(100, 100)]
    [InlineData(200, 100)]
    public void Members_change_and_replicas_agree(int firstSeed, int count)
    {
        var changes = 0;
        for (var seed = firstSeed; seed < firstSeed + count; seed++)
        {
            try
            {
                changes += new Run(seed).Play();
            }
            catch (Exception e)
            {
                throw new InvalidOperationException($"Seed {seed}: {e.Message}", e);
            }
        }

        Assert.True(changes > 2 * count, $"Only {changes} memberships were committed: the runs prove little.");
    }

    private sealed class Run(int seed)
        : ClusterRun(seed, NodesMax, id => Options(seed, id), voters: 1 + (seed % 4))
    {
        /// <summary>How many memberships were committed.</summary>
        public int Play()
        {
            PlaySteps();
            var leader = Heal(ticks: 300);
            Assert.False(leader.Raft!.IsChanging, "A change of the membership does not end.");
            CheckAgreement(leader, node => Cluster.IsMember(leader, node));
            foreach (var node in Cluster.Nodes.Where(node => Cluster.IsMember(leader, node)))
            {
                Assert.Equal(leader.Raft.Membership, node.Raft!.Membership);
            }

            return Cluster.CommittedEntries.Count(entry => entry.Kind == EntryKind.Membership);
        }

        protected override void Act()
        {
            var node = AnyNode();
            switch (Random.Next(1000))
            {
                case < 250: node.Step(Tick.Instance); break;
                case < 640: DeliverSome(); break;
                case < 780: if (node.HasWrites) { node.SyncOne(); } break;
                case < 840: if (node.HasToApply) { node.ApplySome(Random.Next(1, 6)); } break;
                case < 900: if (node.HasWork) { node.WorkOne(); } break;
                case < 930: Propose(node, count: 1); break;
                case < 958: Change(Random.Next(2) == 0 ? node : Cluster.Leader ?? node); break;
                case < 964: Break(); break;
                case < 974: Mend(); break;
                case < 980: if (node.IsUp) { node.Crash(Random.Next(2)); } break;
                case < 994: if (!node.IsUp) { node.Start(); } break;
                case < 998: if (!node.HasToApply) { node.TakeSnapshot(); } break;
                default: node.Step(new TransferLeadership(node.Id, NextRequest())); break;
            }
        }

        private static RaftOptions Options(int seed, NodeId id) => new()
        {
            Node = id,
            Group = new GroupId(1),
            Seed = ((ulong)seed * 31) + id.Value,
            HeartbeatTicks = 3,
            ElectionTicks = 20,
            AppendEntriesMax = 4,
            AppendBytesMax = 300,
            InflightMessagesMax = 4,
            InflightBytesMax = 1024,
            CacheBytesMax = 300,
            SnapshotChunkBytesMax = 100,
            TrailingEntries = 5,
            LogBlockBits = 2,
        };

        private void Change(ClusterNode node)
        {
            if (node.Raft is not { } raft)
            {
                return;
            }

            var other = new NodeId((ulong)Random.Next(1, NodesMax + 1));
            var third = new NodeId((ulong)Random.Next(1, NodesMax + 1));
            var change = Random.Next(8) switch
            {
                0 when raft.Membership.Voters.Length > 2 =>
                    new MembershipChange(MembershipChangeKind.Remove, other, null),
                1 or 2 => new MembershipChange(MembershipChangeKind.Replace, other, MemberRecord.Of(third)),
                3 => new MembershipChange(MembershipChangeKind.Promote, other, null),
                _ => new MembershipChange(
                    MembershipChangeKind.Add, other, MemberRecord.Of(other), StaysLearner: Random.Next(4) == 0),
            };
            node.Step(new ChangeMembers(change, IsDryRun: Random.Next(10) == 0, NextRequest()));
        }

        private void Break()
        {
            var from = AnyNode();
            var to = AnyNode();
            if (Random.Next(3) == 0)
            {
                Isolate(Cluster.Leader ?? from);
            }
            else
            {
                Cut(from, to);
                from.Step(new ConnectionLost(to.Id));
            }
        }
    }
}
