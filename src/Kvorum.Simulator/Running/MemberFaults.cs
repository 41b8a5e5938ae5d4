using Kvorum.Node;

namespace Kvorum.Simulator;

/// <summary>
/// Members that come, go and take the place of others, and hand-overs, woven into all other faults (reliability M1 to
/// M8).
/// </summary>
internal sealed class MemberFaults(
    SimWorld world, SimNode[] nodes, SimNetwork network, SimRoster roster, FaultDriver driver, Marks marks)
{
    private readonly Operators _operators = new(world, nodes, marks);
    private readonly SortedSet<int> _spares = [];
    private readonly HashSet<int> _leaving = [];
    private int _updates;

    /// <summary>Voters were asked to change at least once.</summary>
    public bool HasChanged { get; private set; }

    /// <summary>Something asked was not answered yet.</summary>
    public bool IsWaiting => _operators.Waiting > 0;

    /// <summary>What an operator asked for may still be begun.</summary>
    public bool MayStillChange => !_operators.AreQuiet;

    /// <summary>No change is under way or may still come about.</summary>
    public bool IsQuiet => _operators.AreQuiet && roster.IsSettled;

    /// <summary>Adds those learners that the cluster has from the beginning.</summary>
    public void AddLearners(int voters, int learners)
    {
        for (var place = voters + 1; place <= voters + learners; place++)
        {
            Enlist(nodes[place - 1]);
            AskUntilAdded(nodes[place - 1], 0);
        }
    }

    public void Strike(Fault fault)
    {
        if (nodes[fault.Nodes[0] - 1].Process is not { IsOpen: true } asked)
        {
            return;
        }

        switch (fault.Kind)
        {
            case FaultKind.TransferLeadership: Transfer(asked, fault); return;
            case FaultKind.UpdateMember: Update(asked.Node, fault); return;
        }

        // A tail that is lost unseen may have had a membership in it: then no code can know who may vote.
        if (nodes.Any(node => node.IsTailInDoubt))
        {
            Skip();
            return;
        }

        marks.ReachIf(AnyCut(), "members.change.asked.during.partition");
        asked = Deposed() is { } deposed && fault.Amount % 3 == 0 ? deposed : asked;
        switch (fault.Kind)
        {
            case FaultKind.AddMember: Add(asked.Node, fault); break;
            case FaultKind.RemoveMember: Remove(asked.Node, fault); break;
            default: Replace(asked.Node, fault); break;
        }
    }

    /// <summary>Hands leadership over, if the node has it, and calls when that is done or was in vain.</summary>
    public void HandOver(SimProcess process, Action then) => _operators.Transfer(process, null, "handover", then);

    /// <summary>Removed machines run on for a while, are perhaps started again, and are stopped.</summary>
    public void Tend()
    {
        foreach (var node in nodes)
        {
            if (node.IsInUse && roster.WasRemoved(node) && !roster.Committed.IsJoint && _leaving.Add(node.Place))
            {
                const int LifeMax = 15_000_000;
                world.Injected.Add("member.removed");
                var chance = new ChanceSource(world.Chance, ChanceStream.Machine, (ulong)node.Place);
                var life = 1_000_000 + chance.Below(LifeMax);
                if (chance.Below(2) == 0)
                {
                    world.At(world.Now + (life / 2), () => StartAgain(node));
                }

                world.At(world.Now + life, () => Retire(node));
            }
        }
    }

    private static MemberAddress AddressOf(SimNode node) => new((ulong)node.Place, $"n{node.Place}", "", []);

    /// <summary>Somebody starts a machine that is no member any more, with all that it knew.</summary>
    private void StartAgain(SimNode node)
    {
        node.Crash(null);
        node.Start();
        marks.ReachIf(
            node.Process is { Raft.IsRemoved: false }, "members.removed.node.starts.with.its.old.membership");
    }

    private static void Retire(SimNode node)
    {
        node.StopInOrder();
        node.IsInUse = false;
    }

    private void AskUntilAdded(SimNode learner, int turn)
    {
        if (driver.IsOver || roster.IsMember(learner) || roster.WasRemoved(learner))
        {
            return;
        }

        var running = nodes.Where(node => node.Process is { IsOpen: true } && roster.IsVoter(node)).ToArray();
        var change = new MemberChange(
            MemberChangeKind.Add, (ulong)learner.Place, AddressOf(learner), StaysLearner: true);
        if (running.Length > 0)
        {
            _operators.Change(
                running[turn % running.Length], change, "learner", _ => AskUntilAdded(learner, turn + 1));
        }
        else
        {
            world.At(world.Now + Operators.AskAgain, () => AskUntilAdded(learner, turn + 1));
        }
    }

    private void Add(SimNode asked, Fault fault)
    {
        if (fault.Amount % 7 == 0 && nodes.FirstOrDefault(roster.WasRemoved) is { } gone)
        {
            // An id is used once: this must be refused.
            var again = new MemberChange(MemberChangeKind.Add, (ulong)gone.Place, AddressOf(gone));
            _operators.Change(asked, again, "used.again", answer =>
                marks.ReachIf(answer is AdminAnswer.Refused, "members.used.id.refused"));
            return;
        }

        var counting = nodes.Count(roster.Counts);
        if (counting + _operators.Waiting >= SimSettings.VotersMax || NewNode() is not { } node)
        {
            Skip();
            return;
        }

        Enlist(node);
        HasChanged = true;
        var staysLearner = fault.Amount % 5 == 0;
        var change = new MemberChange(MemberChangeKind.Add, (ulong)node.Place, AddressOf(node), staysLearner);
        _operators.Change(asked, change, "add", answer => Spare(node, answer));
    }

    private void Remove(SimNode asked, Fault fault)
    {
        var target = Target(fault);
        if (!MayLose(target))
        {
            Skip();
            return;
        }

        HasChanged = true;
        var change = new MemberChange(MemberChangeKind.Remove, (ulong)target.Place, null);
        marks.ReachIf(!target.IsRunning, "members.remove.of.one.that.is.down");
        _operators.Change(asked, change, "remove", _ => { });
        if (fault.Amount % 4 == 1)
        {
            Rival(asked, target, fault.Amount / 4);
        }
    }

    /// <summary>A second operator asks elsewhere: the same one is to go, or another one.</summary>
    private void Rival(SimNode busy, SimNode target, long number)
    {
        var others = nodes.Where(node => node != busy && node.Process is { IsOpen: true } && roster.IsMember(node));
        if (others.FirstOrDefault() is not { } asked)
        {
            return;
        }

        var other = Member(number, votersOnly: true);
        var goes = number % 2 == 0 && other != target && MayLose(other) ? other : target;
        var change = new MemberChange(MemberChangeKind.Remove, (ulong)goes.Place, null);
        _operators.Change(asked, change, "remove", _ => { });
    }

    private void Replace(SimNode asked, Fault fault)
    {
        var target = Member(fault.Amount, votersOnly: true);
        if (!MayLose(target) || NewNode() is not { } node)
        {
            Skip();
            return;
        }

        Enlist(node);
        HasChanged = true;
        var change = new MemberChange(MemberChangeKind.Replace, (ulong)target.Place, AddressOf(node));
        _operators.Change(asked, change, "replace", answer => Spare(node, answer));
    }

    private void Update(SimNode member, Fault fault)
    {
        if (!roster.IsMember(member))
        {
            return;
        }

        var clientUrl = $"http://n{member.Place}-{++_updates}";
        var address = AddressOf(member) with { ClientUrls = [clientUrl] };
        var asked = fault.Amount % 2 == 0 ? driver.Leader() ?? member : member;
        _operators.Change(
            asked, new MemberChange(MemberChangeKind.Update, (ulong)member.Place, address), "update", _ => { });
    }

    private void Transfer(SimProcess asked, Fault fault)
    {
        ulong? to = fault.Amount % 2 == 0 ? null : (ulong)Member(fault.Amount / 2, votersOnly: false).Place;
        _operators.Transfer(asked, to, "transfer", () => { });
    }

    private void Skip() => world.Injected.Add("member.change.skipped");

    /// <summary>Who still believes to lead, if there is one.</summary>
    private SimProcess? Deposed() => nodes.Select(node => node.Process)
        .FirstOrDefault(process => process is { IsOpen: true } && _operators.IsDeposed(process));

    /// <summary>Two members cannot speak with each other.</summary>
    private bool AnyCut()
    {
        var members = nodes.Where(roster.IsMember).ToArray();
        return members.Any(from => members.Any(to => from != to && network.IsBlocked(from.Place, to.Place)));
    }

    /// <summary>A machine that was refused waits for its next chance; its directory never was a member's.</summary>
    private void Spare(SimNode node, AdminAnswer answer)
    {
        if (answer is AdminAnswer.Refused && !roster.IsMember(node) && !roster.WasRemoved(node))
        {
            _spares.Add(node.Place);
        }
    }

    private SimNode? NewNode()
    {
        if (_spares.Count > 0)
        {
            var place = _spares.Min;
            _spares.Remove(place);
            return nodes[place - 1];
        }

        return nodes.FirstOrDefault(node => !node.IsInUse && !_leaving.Contains(node.Place));
    }

    private void Enlist(SimNode node)
    {
        node.Contacts = [.. roster.Committed.Voters.ToArray().Select(voter => voter.Value)];
        node.IsInUse = true;
        network.InUse = Math.Max(network.InUse, node.Place);
        node.Start();
    }

    /// <summary>Whom to remove: often the leader, sometimes a learner.</summary>
    private SimNode Target(Fault fault) =>
        fault.Amount % 3 == 0 && driver.Leader() is { } leader && roster.IsVoter(leader)
            ? leader
            : Member(fault.Amount, votersOnly: fault.Amount % 4 != 0);

    private SimNode Member(long number, bool votersOnly)
    {
        var members = nodes.Where(votersOnly ? roster.IsVoter : roster.IsMember).ToArray();
        return members[number % members.Length];
    }

    /// <summary>
    /// Whether those that stay have a majority that nothing was destroyed of; not while another change, whose outcome
    /// nobody knows, may still take somebody away.
    /// </summary>
    private bool MayLose(SimNode target)
    {
        var rest = nodes.Where(node => node != target && roster.Counts(node)).ToArray();
        var damaged = rest.Count(node => node.IsDamaged);
        return damaged == 0 || (IsQuiet && damaged <= (rest.Count(roster.IsVoter) - 1) / 2);
    }
}
