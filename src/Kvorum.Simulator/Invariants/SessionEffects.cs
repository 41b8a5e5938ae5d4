using Kvorum.Kv;
using Kvorum.Raft;

namespace Kvorum.Simulator;

/// <summary>
/// K3: a command under a session stamp takes effect at most once, and its copies are answered alike or refused. A
/// session that the log has expired is forgotten here as well: then a first command opens it anew.
/// </summary>
internal sealed class SessionEffects
{
    private readonly Dictionary<UInt128, ulong> _lastUsed = [];
    private readonly Dictionary<(UInt128, ulong), (LogIndex Index, CommandStatus Status, long Revision, long Count)>
        _answers = [];

    /// <returns>Whether the result is an answer given before, or a refusal.</returns>
    public bool Applied(LogIndex index, Command command, in CommandResult result, out string? wrong)
    {
        wrong = null;
        if (command is ExpireSessions { LastUsedBefore: var before })
        {
            Expire(before);
        }

        if (command.Session is not { } stamp)
        {
            return false;
        }

        var isKnown = _lastUsed.ContainsKey(stamp.Client);
        if (isKnown)
        {
            _lastUsed[stamp.Client] = index.Value;
        }

        if (result.Status is CommandStatus.UnknownSession or CommandStatus.SequenceTooOld
            or CommandStatus.SequenceReused)
        {
            wrong = isKnown && result.Status is CommandStatus.UnknownSession
                ? $"The command at index {index} was refused because its session is unknown; it was used before."
                : null;
            return true;
        }

        _lastUsed[stamp.Client] = index.Value;
        if (_answers.TryAdd(
            (stamp.Client, stamp.Sequence), (index, result.Status, result.Revision, result.Count)))
        {
            return false;
        }

        var first = _answers[(stamp.Client, stamp.Sequence)];
        if ((first.Status, first.Revision, first.Count) == (result.Status, result.Revision, result.Count))
        {
            return true;
        }

        wrong = $"The command at index {index} is a copy of the one at index {first.Index} and was answered "
            + $"{result.Status}, revision {result.Revision}, count {result.Count}, after {first.Status}, "
            + $"{first.Revision}, {first.Count}: it took effect twice.";
        return true;
    }

    private void Expire(ulong before)
    {
        List<UInt128> idle = [];
        foreach (var (client, lastUsed) in _lastUsed)
        {
            if (lastUsed < before)
            {
                idle.Add(client);
            }
        }

        foreach (var client in idle)
        {
            _lastUsed.Remove(client);
            for (var sequence = 1UL; _answers.Remove((client, sequence)); sequence++)
            {
                // A client numbers its commands without gaps.
            }
        }
    }
}
