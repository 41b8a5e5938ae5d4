using Kvorum.Raft;

namespace Kvorum.Simulator;

/// <summary>What befalls leaders, and snapshots by hand.</summary>
internal sealed class LeaderFaults(SimWorld world, SimNode[] nodes, SimNetwork network, FaultDriver driver)
{
    public void Strike(Fault fault)
    {
        if (fault.Kind is FaultKind.TakeSnapshot)
        {
            TakeSnapshot(nodes[fault.Nodes[0] - 1]);
        }
        else
        {
            CutLeader(fault);
        }
    }

    /// <summary>The leader of the newest term.</summary>
    public SimNode? Leader()
    {
        SimNode? found = null;
        foreach (var node in nodes)
        {
            if (node.Process is { IsOpen: true, Raft: { Role: Role.Leader } raft }
                && (found is null || found.Process!.Raft!.Term < raft.Term))
            {
                found = node;
            }
        }

        return found;
    }

    private static void TakeSnapshot(SimNode node)
    {
        if (node.Process is { IsOpen: true } process)
        {
            _ = process.Kvorum.TakeSnapshotAsync(CancellationToken.None);
        }
    }

    /// <summary>
    /// The leader and some of its clients are cut off from everybody else. When it comes back, whoever leads the others
    /// by then dies or is paused, perhaps right after a snapshot.
    /// </summary>
    private void CutLeader(Fault fault)
    {
        if (Leader() is not { } old || network.InUse < 3)
        {
            return;
        }

        var isAlone = fault.Amount % 2 == 0;
        Cut(old, true, isAlone);
        var snapshotAt = Math.Max(1, fault.Duration - 100_000);
        if (fault.Amount / 2 % 2 == 0)
        {
            driver.After(snapshotAt, () =>
            {
                foreach (var node in nodes)
                {
                    if (node != old)
                    {
                        TakeSnapshot(node);
                    }
                }
            });
        }

        driver.After(fault.Duration, () =>
        {
            Cut(old, false, isAlone);
            var newer = Leader();
            if (fault.Amount / 4 % 2 == 0 && newer is not null && newer != old && driver.MayEnd(newer))
            {
                newer.DownUntil = world.Now + fault.Duration;
                newer.Crash(null);
                driver.After(fault.Duration, newer.Start);
            }
        });
    }

    private void Cut(SimNode old, bool isCut, bool cutsOthersClients)
    {
        foreach (var other in nodes)
        {
            if (other != old)
            {
                network.Block(old.Place, other.Place, isCut);
                network.Block(other.Place, old.Place, isCut);
                network.ClientBlocked[other.Place] = isCut && cutsOthersClients;
            }
        }
    }
}
