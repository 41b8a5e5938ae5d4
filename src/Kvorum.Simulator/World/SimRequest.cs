using Kvorum.Client;
using Kvorum.Kv;
using Kvorum.Node;

namespace Kvorum.Simulator;

/// <summary>What came back from one attempt at one node.</summary>
/// <param name="Outcome">As failover sees it.</param>
/// <param name="Command">Set when a command was answered.</param>
/// <param name="Range">Set when a query was answered.</param>
internal readonly record struct SimAnswer(AttemptOutcome Outcome, CommandResult? Command, RangeResult? Range);

/// <summary>A request under way between a client and a process, as a front end would hold it.</summary>
internal sealed class SimRequest(SimProcess process, Action<SimAnswer> answer)
{
    private Task<CommandResult>? _command;
    private Task<RangeResult>? _range;

    /// <summary>Calls the node; an answer that is there at once goes out at once.</summary>
    public void Begin(Command? command, RangeQuery? query, bool isLocal, TimeSpan limit)
    {
        try
        {
            if (command is not null)
            {
                _command = process.Kvorum.ProposeAsync(command, limit, CancellationToken.None);
            }
            else if (query is not null)
            {
                var consistency = isLocal ? Consistency.Local : Consistency.Linearizable;
                _range = process.Kvorum.ReadAsync(query, consistency, limit, CancellationToken.None);
            }
        }
        catch (KvorumException e)
        {
            answer(Refused(e));
            return;
        }

        if (!TryAnswer())
        {
            process.Add(this);
        }
    }

    /// <summary>The connection to the client breaks with the process.</summary>
    public void Broken() => answer(new SimAnswer(AttemptOutcome.Unknown, null, null));

    /// <summary>Whether the node has answered; the answer then goes to the client.</summary>
    public bool TryAnswer()
    {
        var task = (Task?)_command ?? _range;
        if (task is not { IsCompleted: true })
        {
            return false;
        }

        if (task.IsCompletedSuccessfully)
        {
            // Completed: reading the result neither waits nor runs anything.
            answer(new SimAnswer(
                AttemptOutcome.Answered,
                _command is { } command ? command.GetAwaiter().GetResult() : null,
                _range is { } range ? range.GetAwaiter().GetResult() : null));
        }
        else if (task.Exception?.InnerException is KvorumException expected)
        {
            answer(Refused(expected));
        }
        else
        {
            process.Node.Unexpected(task.Exception);
        }

        return true;
    }

    private static SimAnswer Refused(KvorumException e) =>
        new(e.IsSafeToRetry ? AttemptOutcome.NoEffect : AttemptOutcome.Unknown, null, null);
}
