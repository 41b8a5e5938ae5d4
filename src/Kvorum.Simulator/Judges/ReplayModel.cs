using System.Globalization;

namespace Kvorum.Simulator;

/// <summary>A key space to replay operations on, with a way back, and the deepest contradiction found.</summary>
internal sealed class ReplayModel
{
    private readonly TotalOrder _order;
    private readonly ValueTable _values;
    private readonly int[] _state;
    private readonly long[] _revisions;
    private readonly bool[] _isUncertain;
    private readonly List<(int Key, int Value, long Revision)> _undo = [];

    public ReplayModel(TotalOrder order)
    {
        _order = order;
        _values = order.Compiled.Values;
        _state = new int[order.Compiled.KeyCount];
        _revisions = new long[order.Compiled.KeyCount];
        _isUncertain = new bool[order.Compiled.KeyCount];
        foreach (var place in order.Unknown)
        {
            MarkUncertain(place);
        }
    }

    public int Mark => _undo.Count;

    /// <summary>What is stored under a key now.</summary>
    public int ValueOf(int key) => _state[key];

    /// <summary>The revision of the deepest contradiction.</summary>
    public long FailedRevision { get; private set; } = -1;

    /// <summary>Who contradicts; −1 when a revision had no candidate.</summary>
    public int FailedPlace { get; private set; } = -1;

    public string FailedAnomaly { get; private set; } = "";

    public string FailedReason { get; private set; } = "";

    /// <summary>Whether the last contradiction is about keys no choice can have touched.</summary>
    public bool IsFailureCertain { get; private set; }

    /// <summary>From here on nothing is taken back.</summary>
    public void Commit() => _undo.Clear();

    public void UndoTo(int mark)
    {
        for (var i = _undo.Count - 1; i >= mark; i--)
        {
            (_state[_undo[i].Key], _revisions[_undo[i].Key]) = (_undo[i].Value, _undo[i].Revision);
        }

        _undo.RemoveRange(mark, _undo.Count - mark);
    }

    /// <summary>The keys of this operation depend on a choice.</summary>
    public void MarkUncertain(int place)
    {
        foreach (var step in _order.Compiled.Steps(place))
        {
            _isUncertain[step.Key] |= step.Kind is StepKind.Write or StepKind.Append or StepKind.Delete;
        }
    }

    /// <summary>No operation fits a revision; kept when nothing deeper failed.</summary>
    public void NoteMissing(long revision)
    {
        if (revision > FailedRevision)
        {
            (FailedRevision, FailedPlace) = (revision, -1);
        }
    }

    /// <summary>An operation that may have taken effect: true when it changes something here.</summary>
    public bool TryChange(int place, long revision)
    {
        var mark = Mark;
        if (_order.Changes[place] != ChangeKind.None)
        {
            return TryAnswer(place, revision, mayChange: true) && Mark > mark;
        }

        if (!ComparesHold(place))
        {
            return false;
        }

        foreach (var step in _order.Compiled.Steps(place))
        {
            var value = ValueAfter(step);
            if (value == ValueTable.Refused)
            {
                UndoTo(mark);
                return false;
            }

            Change(step, value, revision);
        }

        return Mark > mark;
    }

    /// <summary>An operation with an answer: true when the model gives the same one.</summary>
    public bool TryAnswer(int place, long revision, bool mayChange)
    {
        var operation = _order[place];
        var steps = _order.Compiled.Steps(place);
        if (HasCompare(steps) && ComparesHold(place) != operation.Succeeded)
        {
            return Fail(place, revision, steps, "wrong compare outcome", operation.Succeeded
                ? "a compare is false on the state before it, yet it was answered as succeeded"
                : "its compares are true on the state before it, yet it was answered as failed");
        }

        foreach (var step in steps)
        {
            if (step.Kind == StepKind.Read && step.IsSeen && !IsSeenRight(step))
            {
                return Fail(place, revision, steps, AnomalyOf(step), ReasonOf(step));
            }

            if (!operation.Succeeded)
            {
                continue;
            }

            var value = ValueAfter(step);
            if (step.Kind == StepKind.Append && (value == ValueTable.Refused
                || (step.IsSeen && step.SeenLength > 0 && step.SeenLength != _values.Length(value))))
            {
                return Fail(place, revision, steps, "wrong length", LengthReason(step, value));
            }

            if (!mayChange && IsChange(step, value))
            {
                return Fail(place, revision, steps, "reused revision",
                    $"it changes {_order.Compiled.KeyText(step.Key)}, but the change of this revision is another's");
            }

            Change(step, value, revision);
        }

        return true;
    }

    private static bool HasCompare(ReadOnlySpan<CompiledStep> steps)
    {
        foreach (var step in steps)
        {
            if (step.Kind == StepKind.CompareValue)
            {
                return true;
            }
        }

        return false;
    }

    private bool ComparesHold(int place)
    {
        foreach (var step in _order.Compiled.Steps(place))
        {
            if (step.Kind == StepKind.CompareValue && _state[step.Key] != step.Argument)
            {
                return false;
            }
        }

        return true;
    }

    private bool IsSeenRight(in CompiledStep step) =>
        step.SeenValue == _state[step.Key]
        && (step.SeenRevision == 0 || step.SeenRevision == _revisions[step.Key]);

    private int ValueAfter(in CompiledStep step) => step.Kind switch
    {
        StepKind.Write => step.Argument,
        StepKind.Append => _values.Append(_state[step.Key], step.Argument),
        StepKind.Delete => ValueTable.Absent,
        _ => _state[step.Key],
    };

    /// <summary>A write of the same value is a change too; a delete of nothing is none.</summary>
    private bool IsChange(in CompiledStep step, int value) =>
        step.Kind is StepKind.Write or StepKind.Append || _state[step.Key] != value;

    private void Change(in CompiledStep step, int value, long revision)
    {
        if (IsChange(step, value))
        {
            _undo.Add((step.Key, _state[step.Key], _revisions[step.Key]));
            _state[step.Key] = value;
            _revisions[step.Key] = value == ValueTable.Absent ? 0 : revision;
        }
    }

    private bool Fail(int place, long revision, ReadOnlySpan<CompiledStep> steps, string anomaly, string reason)
    {
        IsFailureCertain = true;
        foreach (var step in steps)
        {
            IsFailureCertain &= !_isUncertain[step.Key];
        }

        if (revision > FailedRevision || IsFailureCertain || (revision == FailedRevision && FailedPlace < 0))
        {
            (FailedRevision, FailedPlace, FailedAnomaly, FailedReason) = (revision, place, anomaly, reason);
        }

        return false;
    }

    private string AnomalyOf(in CompiledStep step) =>
        step.SeenValue == _state[step.Key] ? "wrong revision"
        : _state[step.Key] == ValueTable.Absent ? "read of what is gone"
        : "lost write";

    private string ReasonOf(in CompiledStep step) => string.Create(
        CultureInfo.InvariantCulture,
        $"it found {_values.Show(step.SeenValue)} of revision {step.SeenRevision} under "
        + $"{_order.Compiled.KeyText(step.Key)}, but a replay gives {_values.Show(_state[step.Key])} of revision "
        + $"{_revisions[step.Key]}");

    private string LengthReason(in CompiledStep step, int value) => value == ValueTable.Refused
        ? $"{_order.Compiled.KeyText(step.Key)} is {_values.Show(_state[step.Key])}, which is no list"
        : string.Create(
            CultureInfo.InvariantCulture,
            $"{_order.Compiled.KeyText(step.Key)} has {_values.Length(value)} items after it, not {step.SeenLength}");
}
