using System.Globalization;

namespace Kvorum.Simulator;

/// <summary>
/// Contradictions that one read and the write it names are enough to see, whatever unknown operations did. Values and
/// items are unique, so a value tells who wrote it.
/// </summary>
internal sealed class TotalOrderEvidence
{
    private readonly TotalOrder _order;
    private readonly ValueTable _values;
    private readonly WriterTable _writers;
    private readonly Dictionary<int, long> _forced = [];

    public TotalOrderEvidence(TotalOrder order)
    {
        _order = order;
        _values = order.Compiled.Values;
        _writers = new WriterTable(order);
    }

    public Verdict? FindContradiction()
    {
        foreach (var place in _order.Placed)
        {
            if (!_order[place].Succeeded)
            {
                continue;
            }

            var steps = _order.Compiled.Steps(place);
            for (var i = 0; i < steps.Length; i++)
            {
                if (steps[i] is { Kind: StepKind.Read, IsSeen: true } && _writers.ReadsAt(place, i) is { } readAt
                    && Examine(place, steps[i], readAt) is { } verdict)
                {
                    return verdict;
                }
            }
        }

        return null;
    }

    private Verdict? Examine(int reader, in CompiledStep step, long readAt)
    {
        if (step.SeenValue == ValueTable.Absent)
        {
            return ExamineAbsence(reader, step, readAt);
        }

        if (_writers.WriterOf(step.Key, step.SeenValue) is not { } writer)
        {
            return Violation("invented value", reader, step, "nobody ever wrote it");
        }

        if (writer == WriterTable.Several)
        {
            return null;
        }

        if (_order[writer].Outcome == OperationOutcome.NoEffect
            || (_order[writer].Outcome == OperationOutcome.Done && !_order[writer].Succeeded))
        {
            return Violation("effect of a refused write", reader, step,
                $"{_order.Show(writer)} was answered as having no effect", writer);
        }

        if (_order[writer].Invoked > _order[reader].Returned && !_order[reader].IsLocal)
        {
            return Violation("read from the future", reader, step,
                $"{_order.Show(writer)} was invoked after the read had been answered", writer);
        }

        return _order.Changes[writer] == ChangeKind.None
            ? ExamineUnknown(reader, step, writer, readAt)
            : ExaminePlaced(reader, step, writer, readAt);
    }

    private Verdict? ExamineAbsence(int reader, in CompiledStep step, long readAt) =>
        _writers.LastChange(step.Key, readAt) is { IsPresent: true } change
            && !_writers.MayVanish(step.Key)
            ? Violation("lost write", reader, step,
                $"{_order.Show(change.Place)} wrote the key at or before this revision and nobody deleted it",
                change.Place)
            : null;

    private Verdict? ExaminePlaced(int reader, in CompiledStep step, int writer, long readAt)
    {
        var written = _order[writer].Revision;
        if (written > readAt)
        {
            return Violation("read from the future", reader, step, string.Create(
                CultureInfo.InvariantCulture, $"{_order.Show(writer)} has the later revision {written}"), writer);
        }

        if (step.SeenRevision > 0 && step.SeenRevision != written)
        {
            return Violation("wrong revision", reader, step, string.Create(
                CultureInfo.InvariantCulture,
                $"it is told to be of revision {step.SeenRevision}, but {_order.Show(writer)} has {written}"), writer);
        }

        return ExamineNewer(reader, step, writer, written, readAt);
    }

    private Verdict? ExamineUnknown(int reader, in CompiledStep step, int writer, long readAt)
    {
        var told = step.SeenRevision;
        if (told == 0)
        {
            return null;
        }

        if (_forced.TryGetValue(writer, out var before) && before != told)
        {
            return Violation("double effect", reader, step, string.Create(
                CultureInfo.InvariantCulture,
                $"{_order.Show(writer)} was seen at revision {before} and again at revision {told}"), writer);
        }

        _forced[writer] = told;
        if (told > readAt || told <= _order.EmptyRevision || _writers.IsClaimed(told))
        {
            return Violation("wrong revision", reader, step, string.Create(
                CultureInfo.InvariantCulture,
                $"it is told to be of revision {told}, which {_order.Show(writer)} cannot have"), writer);
        }

        return ExamineNewer(reader, step, writer, told, readAt);
    }

    private Verdict? ExamineNewer(int reader, in CompiledStep step, int writer, long written, long readAt) =>
        _writers.LastChange(step.Key, readAt) is { } change
            && change.Place != writer && _order[change.Place].Revision > written
            ? Violation("lost write", reader, step, string.Create(
                CultureInfo.InvariantCulture,
                $"it is from revision {written}, and {_order.Show(change.Place)} changed the key at revision "
                + $"{_order[change.Place].Revision}"), change.Place, writer)
            : null;

    private Verdict Violation(string anomaly, int reader, in CompiledStep step, string reason, params int[] others) =>
        _order.Violation(anomaly, string.Create(
            CultureInfo.InvariantCulture,
            $"{_order.Show(reader)} at revision {_order[reader].Revision} found {_values.Show(step.SeenValue)} under "
            + $"{_order.Compiled.KeyText(step.Key)}, but {reason}."), [reader, .. others]);
}
