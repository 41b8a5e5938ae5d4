using System.Text;

namespace Kvorum.Raft.Tests;

/// <summary>
/// Nodes join, go, are replaced and lose their memory while the network drops, doubles and reorders messages and
/// processes crash. Safety is checked at every step, liveness after healing.
/// </summary>
public sealed class MembershipClusterTests
{
    private const int StepsPerSeed = 4_000;
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

    private sealed class Run
    {
        private readonly Random _random;
        private readonly Cluster _cluster;
        private readonly bool[,] _cut = new bool[NodesMax + 1, NodesMax + 1];
        private ulong _request;
        private int _proposals;

        public Run(int seed)
        {
            _random = new Random(seed);
            var voters = 1 + (seed % 4);
            _cluster = new Cluster(NodesMax, id => new RaftOptions
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
            }, voters)
            {
                IsConnected = (from, to) => !_cut[from.Value, to.Value],
            };
        }

        public int Play()
        {
            _cluster.StartAll();
            for (var step = 0; step < StepsPerSeed; step++)
            {
                Act();
                if (step % 50 == 0)
                {
                    _cluster.CheckLogMatching();
                }
            }

            Heal();
            return _cluster.CommittedEntries.Count(entry => entry.Kind == EntryKind.Membership);
        }

        private void Act()
        {
            var node = _cluster.Nodes[_random.Next(_cluster.Nodes.Length)];
            switch (_random.Next(1000))
            {
                case < 250: node.Step(Tick.Instance); break;
                case < 640: DeliverSome(); break;
                case < 780: if (node.HasWrites) { node.SyncOne(); } break;
                case < 840: if (node.HasToApply) { node.ApplySome(_random.Next(1, 6)); } break;
                case < 900: if (node.HasWork) { node.WorkOne(); } break;
                case < 930: Propose(node); break;
                case < 958: Change(_random.Next(2) == 0 ? node : _cluster.Leader ?? node); break;
                case < 964: Break(); break;
                case < 974: Array.Clear(_cut); break;
                case < 980: if (node.IsUp) { node.Crash(_random.Next(2)); } break;
                case < 994: if (!node.IsUp) { node.Start(); } break;
                case < 998: if (!node.HasToApply) { node.TakeSnapshot(); } break;
                default: node.Step(new TransferLeadership(node.Id, ++_request)); break;
            }
        }

        private void Change(ClusterNode node)
        {
            if (node.Raft is not { } raft)
            {
                return;
            }

            var other = new NodeId((ulong)_random.Next(1, NodesMax + 1));
            var third = new NodeId((ulong)_random.Next(1, NodesMax + 1));
            var change = _random.Next(8) switch
            {
                0 when raft.Membership.Voters.Length > 2 =>
                    new MembershipChange(MembershipChangeKind.Remove, other, null),
                1 or 2 => new MembershipChange(MembershipChangeKind.Replace, other, MemberRecord.Of(third)),
                3 => new MembershipChange(MembershipChangeKind.Promote, other, null),
                _ => new MembershipChange(
                    MembershipChangeKind.Add, other, MemberRecord.Of(other), StaysLearner: _random.Next(4) == 0),
            };
            node.Step(new ChangeMembers(change, IsDryRun: _random.Next(10) == 0, ++_request));
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
            var command = Encoding.UTF8.GetBytes($"c{++_proposals}{new string('x', _random.Next(12))}");
            node.Step(new Propose(new ReadOnlyMemory<byte>[] { command }, ++_request));
        }

        private void Break()
        {
            var from = _cluster.Nodes[_random.Next(_cluster.Nodes.Length)];
            var to = _cluster.Nodes[_random.Next(_cluster.Nodes.Length)];
            if (_random.Next(3) == 0)
            {
                from = _cluster.Leader ?? from;
                for (var i = 1; i <= NodesMax; i++)
                {
                    _cut[from.Id.Value, i] = _cut[i, from.Id.Value] = true;
                }
            }
            else
            {
                _cut[from.Id.Value, to.Id.Value] = true;
                from.Step(new ConnectionLost(to.Id));
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

            for (var tick = 0; tick < 300; tick++)
            {
                _cluster.TickAll();
                _cluster.Settle();
            }

            var leader = _cluster.SettleWithLeader();
            Assert.False(leader.Raft!.IsChanging, "A change of the membership does not end.");
            leader.Step(new Propose(new ReadOnlyMemory<byte>[] { "last"u8.ToArray() }, ++_request));
            Assert.Equal(ProposeResult.Appended, leader.LastProposed!.Value.Result);
            for (var tick = 0; tick < 60; tick++)
            {
                _cluster.TickAll();
                _cluster.Settle();
            }

            _cluster.CheckLogMatching();
            foreach (var node in _cluster.Nodes.Where(node => Cluster.IsMember(leader, node)))
            {
                Assert.True(
                    _cluster.Committed == node.Applied, $"{node.Id} applied {node.Applied} of {_cluster.Committed}.");
                Assert.Equal(_cluster.StateAt(node.Applied), node.State);
                Assert.Equal(leader.Raft.Membership, node.Raft!.Membership);
            }
        }
    }
}
