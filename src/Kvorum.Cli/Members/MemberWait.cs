using System.Diagnostics;
using Kvorum.Cli.Client;

namespace Kvorum.Cli.Members;

/// <summary>Follows a change of members until it is done, and says on stderr how far it is.</summary>
internal sealed class MemberWait(MemberCalls calls, TimeSpan limit)
{
    private static readonly TimeSpan PollInterval = TimeSpan.FromMilliseconds(200);

    private static readonly TimeSpan RepeatAfter = TimeSpan.FromSeconds(1);

    private readonly Stopwatch _clock = Stopwatch.StartNew();
    private TimeSpan _saidAt = TimeSpan.MinValue;
    private string _said = "";

    /// <summary>Until the node votes, and (with <paramref name="inPlaceOf"/>) the other one is gone.</summary>
    public Task<byte[]> ForVoterAsync(string name, string? inPlaceOf, CancellationToken cancel) => ForAsync(
        report => report.Find(name) is { Kind: "voter" } && (inPlaceOf is null || report.Find(inPlaceOf) is null),
        report => StateOf(report, name, inPlaceOf),
        (inPlaceOf is null ? $"waited for {name} to vote" : $"waited for {name} to take the place of {inPlaceOf}")
            + ", which it does by itself once it is in sync; 'kvorum member list' shows how far it is",
        cancel);

    /// <summary>Until the node is no member any more.</summary>
    public Task<byte[]> ForRemovalAsync(string name, CancellationToken cancel) => ForAsync(
        report => report.Find(name) is null,
        report => report.Find(name) is { Kind: "leaving" } ? $"{name} is leaving" : $"{name} is still a member",
        $"the removal of {name} is under way; 'kvorum member list' shows when it is done",
        cancel);

    private static string StateOf(MembersReport report, string name, string? inPlaceOf) => report.Find(name) switch
    {
        null => $"{name} is no member",
        { IsConnected: false, Kind: not "voter" } => $"{name} is a learner, not connected: is it running?",
        { Kind: "voter" } when inPlaceOf is not null && report.Find(inPlaceOf) is { Kind: var kind } =>
            $"{name} votes, {inPlaceOf} is {(kind == "leaving" ? kind : "still a member")}",
        { Kind: "voter" } => $"{name} votes",
        { Kind: "learner" } => $"{name} is a learner and stays one: 'kvorum member promote {name}' makes it a voter",
        { EntriesBehind: { } behind } => $"{name} is a learner, {ChangeText.Number(behind)} entries behind",
        _ => $"{name} is a learner",
    };

    private async Task<byte[]> ForAsync(
        Func<MembersReport, bool> isDone, Func<MembersReport, string> stateOf, string otherwise,
        CancellationToken cancel)
    {
        while (true)
        {
            string state;
            try
            {
                var (report, body) = await calls.ListAsync(cancel).ConfigureAwait(false);
                if (isDone(report))
                {
                    return body;
                }

                state = stateOf(report);
            }
            catch (CommandFailedException e) when (e.Code == ExitCode.Unavailable)
            {
                state = "no endpoint answers at the moment"; // Such as while a leader is elected.
            }

            Say(state);
            if (_clock.Elapsed > limit)
            {
                throw new CommandFailedException(
                    ExitCode.Failed, $"Not done within {limit.TotalSeconds:0.#} s ({state}): {otherwise}.");
            }

            await Task.Delay(PollInterval, cancel).ConfigureAwait(false);
        }
    }

    private void Say(string state)
    {
        if (state != _said && (_said.Length == 0 || _clock.Elapsed - _saidAt > RepeatAfter))
        {
            (_said, _saidAt) = (state, _clock.Elapsed);
            Console.Error.WriteLine(state);
        }
    }
}
