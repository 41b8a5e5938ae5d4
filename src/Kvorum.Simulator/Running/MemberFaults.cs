using Kvorum.Node;
using Kvorum.Raft;

namespace Kvorum.Simulator;

/// <summary>Requests of operators about members and leaders, and what befalls leaders (reliability M1 to M8).</summary>
internal sealed class MemberFaults(SimWorld world, SimNetwork network, SimNode[] nodes, FaultDriver driver)
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(2);

    private int _updates;
    private bool _hasRemoved;

    public void Strike(Fault fault)
    {
        var node = nodes[fault.Nodes[0] - 1];
        switch (fault.Kind)
        {
            case FaultKind.TakeSnapshot: TakeSnapshot(node); break;
            case FaultKind.RemoveMember: Remove(fault.Amount % 2 == 0 ? Leader() ?? node : node, node); break;
            case FaultKind.UpdateMember:
                var address = new MemberAddress((ulong)node.Place, $"n{node.Place}", $"http://n{++_updates}", []);
                Ask(Leader() ?? node, new MemberChange(MemberChangeKind.Update, (ulong)node.Place, address));
                break;
            case FaultKind.TransferLeadership:
                if (Leader() is { } leader)
                {
                    _ = leader.Process!.Kvorum.TransferLeadershipAsync(
                        fault.Amount % 2 == 0 ? null : (ulong)node.Place, Patience, CancellationToken.None);
                }

                break;
            case FaultKind.OldLeaderReturns: CutLeader(fault); break;
            default: break;
        }
    }

    private static void TakeSnapshot(SimNode node)
    {
        if (node.Process is { IsOpen: true } process)
        {
            _ = process.Kvorum.TakeSnapshotAsync(CancellationToken.None);
        }
    }

    private static void Ask(SimNode node, MemberChange change)
    {
        if (node.Process is { IsOpen: true } process)
        {
            _ = process.Kvorum.ChangeMembersAsync(change, isDryRun: false, Patience, CancellationToken.None);
        }
    }

    /// <summary>
    /// A node leaves for good, one in a run, and never when others are damaged: what is left must do with or without
    /// it, because the request may be lost.
    /// </summary>
    private void Remove(SimNode gone, SimNode asked)
    {
        if (!_hasRemoved && nodes[0].Voters.Count > 2 && gone.IsRunning && driver.MayForget(gone))
        {
            _hasRemoved = true;
            gone.IsDamaged = true; // No fault may hit another one as well.
            gone.IsLeaving = true;
            world.Injected.Add("member.removed");
            Ask(asked, new MemberChange(MemberChangeKind.Remove, (ulong)gone.Place, null));
        }
    }

    /// <summary>
    /// The leader and some of its clients are cut off from everybody else. When it comes back, whoever leads the others
    /// by then dies or is paused, perhaps right after a snapshot.
    /// </summary>
    private void CutLeader(Fault fault)
    {
        if (Leader() is not { } old || nodes.Length < 3)
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

    /// <summary>The leader of the newest term.</summary>
    private SimNode? Leader()
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
}
