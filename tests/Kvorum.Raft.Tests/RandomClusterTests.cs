namespace Kvorum.Raft.Tests;

/// <summary>
/// Small clusters under drops, duplicates, reordering, broken connections, crashes that lose unsynced writes, restarts,
/// snapshots and transfers, from a seed. Safety is checked at every step, liveness after healing.
/// </summary>
public sealed class RandomClusterTests
{
    [Theory]
    [InlineData(0, 100)]
    [InlineData(100, 100)]
    [InlineData(200, 100)]
    public void Replicas_agree_whatever_the_network_and_the_disks_do(int firstSeed, int count)
    {
        for (var seed = firstSeed; seed < firstSeed + count; seed++)
        {
            try
            {
                new Run(seed).Play();
            }
            catch (Exception e)
            {
                throw new InvalidOperationException($"Seed {seed}: {e.Message}", e);
            }
        }
    }

    private sealed class Run(int seed) : ClusterRun(seed, NodesOf(seed), id => Options(seed, id))
    {
        private readonly Dictionary<ulong, LogIndex> _readFloor = [];

        public void Play()
        {
            PlaySteps();
            CheckAgreement(Heal(ticks: 30), _ => true);
        }

        protected override void Act()
        {
            var node = AnyNode();
            switch (Random.Next(1000))
            {
                case < 200: node.Step(Tick.Instance); break;
                case < 600: DeliverSome(); break;
                case < 720: if (node.HasWrites) { node.SyncOne(); } break;
                case < 780: if (node.HasToApply) { node.ApplySome(Random.Next(1, 6)); } break;
                case < 840: if (node.HasWork) { node.WorkOne(); } break;
                case < 890: Propose(node, Random.Next(1, 5)); break;
                case < 960: Read(node); break;
                case < 968: Break(); break;
                case < 974: Mend(); break;
                case < 983: if (node.IsUp) { node.Crash(Random.Next(2)); } break;
                case < 994: if (!node.IsUp) { node.Start(); } break;
                case < 998: if (!node.HasToApply) { node.TakeSnapshot(); } break;
                default: node.Step(new TransferLeadership()); break;
            }

            CheckReads();
        }

        private static int NodesOf(int seed) => seed % 5 == 0 ? 5 : seed % 7 == 0 ? 1 : 3;

        private static RaftOptions Options(int seed, NodeId id) => new()
        {
            Node = id,
            Group = new GroupId(1),
            Seed = ((ulong)seed * 31) + id.Value,
            HeartbeatTicks = 3,
            ElectionTicks = 20,
            AppendEntriesMax = 4,
            AppendBytesMax = 48,
            InflightMessagesMax = 4,
            InflightBytesMax = 256,
            CacheBytesMax = 40,
            SnapshotChunkBytesMax = 40,
            ReadsMax = 8,
            TrailingEntries = 5,
            UncommittedBytesMax = 400,
            LogBlockBits = 2,
        };

        private void Read(ClusterNode node)
        {
            if (node.IsUp && (node.Raft!.Role == Role.Leader || Random.Next(3) == 0))
            {
                _readFloor.Add(NextRequest(), Cluster.Committed);
                node.Step(new ReadBarrier(Request));
            }
        }

        private void CheckReads()
        {
            foreach (var node in Cluster.Nodes)
            {
                foreach (var read in node.Reads.Where(read => read.Accepted))
                {
                    Assert.True(read.Index >= _readFloor[read.RequestId], $"Read {read.RequestId} is stale.");
                }

                node.Reads.Clear();
            }
        }

        private void Break()
        {
            var from = AnyNode();
            var to = AnyNode();
            switch (Random.Next(5))
            {
                case 0: Cut(from, to); break;
                case 1: Isolate(Random.Next(2) == 0 ? Cluster.Leader ?? from : from); break;
                case 2:
                    // The leader's process dies: everybody else sees it.
                    if (Cluster.Leader is { } dead)
                    {
                        dead.Crash(surviving: 0);
                        Array.ForEach(Cluster.Nodes, node => node.Step(new ConnectionLost(dead.Id)));
                    }

                    break;
                case 3: from.Step(new ConnectionLost(to.Id)); break;
                default: from.Step(new ConnectionMade(to.Id)); break;
            }
        }
    }
}
