namespace Kvorum.Simulator;

/// <summary>
/// What a sweep must have come across before its silence says anything: a fault that strikes nothing any more, or a
/// dimension that is drawn no more, shows here.
/// </summary>
/// <remarks>
/// Every mark that each of four sweeps of 400 seeds reached 10 times or more. The others are too rare to be asked of a
/// sweep: a tail that is lost, a snapshot that is gone while it is sent, a change asked of a leader that was deposed.
/// </remarks>
public static class ExpectedMarks
{
    /// <summary>Fewer seeds may miss some by chance.</summary>
    public const long SeedsMin = 1_000;

    public static IReadOnlyList<string> All { get; } =
    [
        "append.batch", "append.of.committed", "append.refused", "append.reply.late", "apply.batch",
        "campaign.started", "candidate.died", "candidate.gave.up", "client.left.in.doubt", "client.refused",
        "client.waited.long", "commit.of.several", "compare.failed", "connection.of.leader.lost",
        "connection.to.leader.lost", "follower.truncates.conflict", "forward.refused", "leader.died",
        "leader.elected", "leader.lost.quorum", "leader.stepped.down", "leaders.two.at.once", "log.reset",
        "members.change.asked.during.partition", "members.change.by.snapshot", "members.change.refused",
        "members.change.rolled.back", "members.change.while.busy", "members.joint", "members.leader.without.a.vote",
        "members.learner.promoted", "members.learners", "members.one.voter.left",
        "members.removed.node.starts.with.its.old.membership", "members.removed.node.was.told",
        "members.two.operators.at.once", "members.used.id.refused",
        "members.voter.demoted", "members.voter.replaced", "message.of.older.term", "node.lost.power",
        "prevote.hurried", "prevote.refused", "prevote.started", "propose.forwarded", "propose.refused",
        "read.at.leader", "read.local", "read.refused", "restart.empty.log", "restart.with.cut.log",
        "restart.with.log", "restart.with.snapshot", "restart.with.vote", "restart.without.vote", "session.expired",
        "session.unknown", "snapshot.chunk.from.start", "snapshot.in.chunks", "snapshot.installed",
        "snapshot.restored", "snapshot.taken", "snapshot.transferred", "standing.lost", "transaction.of.several",
        "transfer.asked", "vote.for.transfer", "vote.refused",
    ];

    /// <summary>Those that a sweep of at least <see cref="SeedsMin"/> seeds missed, in order.</summary>
    public static IReadOnlyList<string> MissedBy(SweepTotals totals)
    {
        ArgumentNullException.ThrowIfNull(totals);
        return totals.Seeds < SeedsMin ? [] : [.. All.Where(mark => !totals.Marks.ContainsKey(mark))];
    }
}
