using Kvorum.Node;
using Kvorum.Raft;

namespace Kvorum.Simulator;

/// <summary>What an operator hears of a request.</summary>
internal enum AdminAnswer
{
    Done,
    Refused,
    Unknown,
}

/// <summary>
/// People who ask nodes for changes, each waiting for one answer. A refusal is an answer like another; an unknown
/// outcome may still come about.
/// </summary>
internal sealed class Operators(SimWorld world, SimNode[] nodes, Marks marks)
{
    /// <summary>How long a person thinks before asking again.</summary>
    public const long AskAgain = 500_000;

    private const long LookEvery = 50_000;

    /// <summary>What was asked and not answered may still come about for so long.</summary>
    private const long DoubtFor = 12_000_000;

    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(2);

    private long _doubtUntil;

    /// <summary>Changes of members that were asked for and not answered yet.</summary>
    public int Waiting { get; private set; }

    /// <summary>Nothing is asked, and nothing may still come about that was.</summary>
    public bool AreQuiet => Waiting == 0 && world.Now >= _doubtUntil;

    /// <summary>Asks a node for another membership and calls a moment after the answer.</summary>
    public void Change(SimNode asked, MemberChange change, string name, Action<AdminAnswer> then)
    {
        if (asked.Process is not { IsOpen: true } process)
        {
            world.At(world.Now + AskAgain, () => then(AdminAnswer.Refused));
            return;
        }

        marks.ReachIf(Waiting > 0, "members.two.operators.at.once");
        marks.ReachIf(IsDeposed(process), "members.change.asked.of.deposed.leader");
        Waiting++;
        Ask(
            process, () => process.Kvorum.ChangeMembersAsync(change, false, Patience, CancellationToken.None), name,
            answer =>
            {
                Waiting--;
                if (answer is AdminAnswer.Unknown)
                {
                    _doubtUntil = world.Now + DoubtFor;
                }

                world.At(world.Now + AskAgain, () => then(answer));
            });
    }

    /// <summary>Asks for another leader.</summary>
    public void Transfer(SimProcess asked, ulong? to, string name, Action then) => Ask(
        asked, () => asked.Kvorum.TransferLeadershipAsync(to, Patience, CancellationToken.None), name, _ => then());

    /// <summary>It leads, as it believes, and somebody leads a later term.</summary>
    public bool IsDeposed(SimProcess process) =>
        process.Raft is { Role: Role.Leader, Term: var term }
        && nodes.Any(node => node.Process?.Raft is { Role: Role.Leader } other && other.Term > term);

    private void Ask(SimProcess process, Func<Task> call, string name, Action<AdminAnswer> then)
    {
        Task task;
        try
        {
            task = call();
        }
        catch (KvorumException e)
        {
            task = Task.FromException(e);
        }

        Look(process, task, name, then);
        process.AfterWork();
    }

    /// <summary>Nobody awaits in a world of one thread: looks from time to time.</summary>
    private void Look(SimProcess process, Task task, string name, Action<AdminAnswer> then)
    {
        if (!task.IsCompleted && process.IsAlive)
        {
            world.At(world.Now + LookEvery, () => Look(process, task, name, then));
            return;
        }

        var answer = AdminAnswer.Unknown;
        if (task.IsCompletedSuccessfully)
        {
            answer = AdminAnswer.Done;
        }
        else if (task.Exception?.InnerException is KvorumException expected)
        {
            answer = expected.IsSafeToRetry ? AdminAnswer.Refused : AdminAnswer.Unknown;
            world.Say($"{name} asked of node {process.Place}: {expected.Message}");
        }
        else if (task.IsCompleted)
        {
            process.Node.Unexpected(task.Exception);
        }

        world.Injected.Add($"member.{name}.{(answer switch
        {
            AdminAnswer.Done => "done",
            AdminAnswer.Refused => "refused",
            _ => "unknown",
        })}");
        then(answer);
    }
}
