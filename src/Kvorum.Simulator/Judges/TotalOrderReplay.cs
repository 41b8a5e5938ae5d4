using System.Globalization;

namespace Kvorum.Simulator;

/// <summary>
/// Replays a history in revision order on a model of the key space. A revision that no answer claims is a choice among
/// the operations with unknown outcome; a contradiction later takes choices back until one fits.
/// </summary>
internal sealed class TotalOrderReplay
{
    private readonly TotalOrder _order;
    private readonly int _attemptsMax;
    private readonly ReplayModel _model;
    private readonly TotalOrderHints _hints;
    private readonly List<Choice> _choices = [];
    private readonly bool[] _isUsed;
    private GapMatching _matching = new([], 0, _ => []);
    private int _attempts;
    private int _next;

    public TotalOrderReplay(TotalOrder order, int attemptsMax)
    {
        _order = order;
        _attemptsMax = attemptsMax;
        _model = new ReplayModel(order);
        _hints = new TotalOrderHints(order);
        _isUsed = new bool[order.Changes.Length];
    }

    public Verdict Run()
    {
        if (_hints.FindUnexplainedKey(_attemptsMax) is { } unexplained)
        {
            return unexplained;
        }

        _matching = _hints.Match();
        if (_matching.Unmatched is { } unmatched)
        {
            _model.NoteMissing(unmatched);
            return Explain();
        }

        if (!AnswerOthers(_order.EmptyRevision, changer: -1))
        {
            return Explain();
        }

        for (var revision = _order.EmptyRevision + 1; revision <= _order.LastRevision; revision++)
        {
            var isExplained = TryRevision(revision);
            while (!isExplained)
            {
                if (_choices.Count == 0 || _model.IsFailureCertain)
                {
                    return Explain();
                }

                if (_attempts > _attemptsMax)
                {
                    return Undecided();
                }

                revision = _choices[^1].Revision;
                isExplained = TryNextAlternative();
            }
        }

        return Verdict.Valid(TotalOrderJudge.Name);
    }

    private bool TryRevision(long revision)
    {
        if (_choices.Count == 0)
        {
            _model.Commit();
        }

        var sure = -1;
        for (var at = _next; at < _order.Placed.Length && _order[_order.Placed[at]].Revision == revision; at++)
        {
            sure = _order.Changes[_order.Placed[at]] == ChangeKind.Sure ? _order.Placed[at] : sure;
        }

        if (sure >= 0)
        {
            return _model.TryAnswer(sure, revision, mayChange: true) && AnswerOthers(revision, sure);
        }

        _choices.Add(new Choice(revision, _next, _model.Mark, Alternatives(revision, _next)));
        return TryNextAlternative();
    }

    /// <summary>Takes the newest choice back and tries what is left of it; drops it when nothing is.</summary>
    private bool TryNextAlternative()
    {
        var choice = _choices[^1];
        Release(choice);
        while (choice.Alternatives.MoveNext())
        {
            var place = choice.Alternatives.Current;
            var isUnknown = _order.Changes[place] == ChangeKind.None;
            if (_isUsed[place] || (isUnknown && !_matching.TryTake(choice.Revision, place)))
            {
                continue;
            }

            _attempts++;
            choice.Taken = place;
            _isUsed[place] = true;
            if (_model.TryChange(choice.Taken, choice.Revision) && AnswerOthers(choice.Revision, choice.Taken))
            {
                return true;
            }

            Release(choice);
        }

        _choices.RemoveAt(_choices.Count - 1);
        _model.NoteMissing(choice.Revision);
        return false;
    }

    private void Release(Choice choice)
    {
        _model.UndoTo(choice.Mark);
        _next = choice.Next;
        if (choice.Taken >= 0)
        {
            _isUsed[choice.Taken] = false;
            choice.Taken = -1;
            _matching.Release(choice.Revision);
        }
    }

    /// <summary>Whoever else was told this revision found the state as it is now, and left it so.</summary>
    private bool AnswerOthers(long revision, int changer)
    {
        while (_next < _order.Placed.Length && _order[_order.Placed[_next]].Revision == revision)
        {
            var place = _order.Placed[_next++];
            if (place != changer && !_model.TryAnswer(place, revision, mayChange: false))
            {
                return false;
            }
        }

        return true;
    }

    /// <summary>Who can have made a change that nobody surely made: deletes that claim it, then the unknown.</summary>
    /// <remarks>Lazy: nearly always the first one fits.</remarks>
    private IEnumerator<int> Alternatives(long revision, int next)
    {
        var deletes = new List<int>();
        for (var at = next; at < _order.Placed.Length && _order[_order.Placed[at]].Revision == revision; at++)
        {
            var place = _order.Placed[at];
            if (_order.Changes[place] == ChangeKind.Maybe && revision > _order.Floor(place))
            {
                deletes.Add(place);
                _model.MarkUncertain(place);
            }
        }

        deletes.Sort((left, right) => _order[left].Invoked.CompareTo(_order[right].Invoked));
        foreach (var place in deletes)
        {
            yield return place;
        }

        foreach (var place in _hints.Unknown(revision, next, _model.ValueOf, _matching.MatchOf(revision)))
        {
            yield return place;
        }
    }

    private Verdict Undecided()
    {
        var reason = _model.FailedPlace < 0
            ? "nobody fits"
            : $"{_order.Show(_model.FailedPlace)}: {_model.FailedReason}";
        return new Verdict(TotalOrderJudge.Name, VerdictKind.Undecided, "undecided", string.Create(
            CultureInfo.InvariantCulture,
            $"{_attempts} placements of {_order.Unknown.Length} operations with unknown outcome were tried, and none "
            + $"explains revision {_model.FailedRevision}: {reason}."), []);
    }

    private Verdict Explain()
    {
        if (_model.FailedPlace < 0)
        {
            var after = Array.Find(_order.Placed, place => _order[place].Revision >= _model.FailedRevision);
            return _order.Violation("lost revision", string.Create(
                CultureInfo.InvariantCulture,
                $"No operation can have made revision {_model.FailedRevision}, yet {_order.Show(after)} was told "
                + $"revision {_order[after].Revision}."), after);
        }

        return _order.Violation(_model.FailedAnomaly, string.Create(
            CultureInfo.InvariantCulture,
            $"{_order.Show(_model.FailedPlace)} at revision {_model.FailedRevision}: {_model.FailedReason}."),
            _model.FailedPlace);
    }

    private sealed class Choice(long revision, int next, int mark, IEnumerator<int> alternatives)
    {
        public long Revision { get; } = revision;

        /// <summary>Where this revision's operations begin.</summary>
        public int Next { get; } = next;

        public int Mark { get; } = mark;

        public IEnumerator<int> Alternatives { get; } = alternatives;

        /// <summary>The operation tried now; −1 before the first.</summary>
        public int Taken { get; set; } = -1;
    }
}
