using System.Text;

namespace Kvorum.Raft.Tests;

/// <summary>
/// Small clusters under drops, duplicates, reordering, broken connections, crashes that lose unsynced writes, restarts,
/// snapshots and transfers, from a seed. Safety is checked at every step, liveness after healing.
/// </summary>
public sealed class RandomClusterTests
{
    private const int StepsPerSeed = 4_000;

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

    private sealed class Run
    {
        private readonly Random _random;
        private readonly Cluster _cluster;
        private readonly Dictionary<ulong, LogIndex> _readFloor = [];
        private readonly bool[,] _cut;
        private ulong _request;
        private int _proposals;

        public Run(int seed)
        {
            _random = new Random(seed);
            var count = seed % 5 == 0 ? 5 : seed % 7 == 0 ? 1 : 3;
            _cut = new bool[count + 1, count + 1];
            _cluster = new Cluster(count, id => new RaftOptions
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
            })
            {
                IsConnected = (from, to) => !_cut[from.Value, to.Value],
            };
        }

        public void Play()
        {
            _cluster.StartAll();
            for (var step = 0; step < StepsPerSeed; step++)
            {
                Act();
                CheckReads();
                if (step % 50 == 0)
                {
                    _cluster.CheckLogMatching();
                }
            }

            Heal();
        }

        private void Act()
        {
            var node = _cluster.Nodes[_random.Next(_cluster.Nodes.Length)];
            switch (_random.Next(1000))
            {
                case < 200: node.Step(Tick.Instance); break;
                case < 600: DeliverSome(); break;
                case < 720: if (node.HasWrites) { node.SyncOne(); } break;
                case < 780: if (node.HasToApply) { node.ApplySome(_random.Next(1, 6)); } break;
                case < 840: if (node.HasWork) { node.WorkOne(); } break;
                case < 890: Propose(node); break;
                case < 960: Read(node); break;
                case < 968: Break(); break;
                case < 974: Array.Clear(_cut); break;
                case < 983: if (node.IsUp) { node.Crash(_random.Next(2)); } break;
                case < 994: if (!node.IsUp) { node.Start(); } break;
                case < 998: if (!node.HasToApply) { node.TakeSnapshot(); } break;
                default: node.Step(new TransferLeadership()); break;
            }
        }

        private void DeliverSome()
        {
            if (_cluster.Network.Count == 0)
            {
                return;
            }

            var position = _random.Next(4) == 0 ? _random.Next(_cluster.Network.Count) : 0;
            switch (_random.Next(40))
            {
                case 0: _cluster.Network.RemoveAt(position); break;
                case 1:
                    _cluster.Network.Add(_cluster.Network[position]);
                    _cluster.Deliver(position);
                    break;
                default: _cluster.Deliver(position); break;
            }
        }

        private void Propose(ClusterNode node)
        {
            var commands = new ReadOnlyMemory<byte>[_random.Next(1, 5)];
            for (var i = 0; i < commands.Length; i++)
            {
                commands[i] = Encoding.UTF8.GetBytes($"c{++_proposals}{new string('x', _random.Next(12))}");
            }

            node.Step(new Propose(commands, ++_request));
        }

        private void Read(ClusterNode node)
        {
            if (node.IsUp && (node.Raft!.Role == Role.Leader || _random.Next(3) == 0))
            {
                _readFloor.Add(++_request, _cluster.Committed);
                node.Step(new ReadBarrier(_request));
            }
        }

        private void CheckReads()
        {
            foreach (var node in _cluster.Nodes)
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
            var from = _cluster.Nodes[_random.Next(_cluster.Nodes.Length)];
            var to = _cluster.Nodes[_random.Next(_cluster.Nodes.Length)];
            switch (_random.Next(5))
            {
                case 0: _cut[from.Id.Value, to.Id.Value] = true; break;
                case 1:
                    from = _random.Next(2) == 0 ? _cluster.Leader ?? from : from;
                    for (var i = 1; i <= _cluster.Nodes.Length; i++)
                    {
                        _cut[from.Id.Value, i] = _cut[i, from.Id.Value] = true;
                    }

                    break;
                case 2:
                    // The leader's process dies: everybody else sees it.
                    if (_cluster.Leader is { } dead)
                    {
                        dead.Crash(surviving: 0);
                        Array.ForEach(_cluster.Nodes, node => node.Step(new ConnectionLost(dead.Id)));
                    }

                    break;
                case 3: from.Step(new ConnectionLost(to.Id)); break;
                default: from.Step(new ConnectionMade(to.Id)); break;
            }
        }

        private void Heal()
        {
            Array.Clear(_cut);
            foreach (var node in _cluster.Nodes)
            {
                if (!node.IsUp)
                {
                    node.Start();
                }

                foreach (var other in _cluster.Nodes)
                {
                    node.Step(new ConnectionMade(other.Id));
                }
            }

            for (var tick = 0; tick < 30; tick++)
            {
                _cluster.TickAll();
                _cluster.Settle();
            }

            var leader = _cluster.SettleWithLeader();
            leader.Step(new Propose(new ReadOnlyMemory<byte>[] { "last"u8.ToArray() }, ++_request));
            Assert.Equal(ProposeResult.Appended, leader.LastProposed!.Value.Result);
            for (var tick = 0; tick < 60; tick++)
            {
                _cluster.TickAll();
                _cluster.Settle();
            }

            _cluster.CheckLogMatching();
            foreach (var node in _cluster.Nodes)
            {
                Assert.True(_cluster.Committed == node.Applied, $"{node.Id} applied {node.Applied} of {_cluster.Committed}.");
                Assert.Equal(_cluster.StateAt(node.Applied), node.State);
            }
        }
    }
}
