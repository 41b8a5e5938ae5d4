namespace Kvorum.Simulator;

/// <summary>
/// Revisions that nobody claims, each matched with an operation of unknown outcome that may have made it (Kuhn's
/// algorithm). A choice for one revision that leaves none for another is refused at once.
/// </summary>
internal sealed class GapMatching
{
    /// <summary>Above so many pairs the matching is left out: it only saves searching.</summary>
    private const long PairsMax = 1_000_000;

    private readonly Dictionary<long, int> _gapOf = [];
    private readonly List<int>[] _candidates = [];
    private readonly bool[] _isOptional = [];
    private readonly bool[] _isTaken = [];
    private readonly int[] _match = [];
    private readonly Dictionary<int, int> _owner = [];

    /// <param name="gaps">Revisions nobody surely claims; optional when a delete may claim them.</param>
    /// <param name="candidates">Who may have made a revision, likeliest first.</param>
    public GapMatching(
        IReadOnlyList<(long Revision, bool IsOptional)> gaps, int unknowns, Func<long, IEnumerable<int>> candidates)
    {
        if ((long)gaps.Count * unknowns > PairsMax)
        {
            return;
        }

        _candidates = new List<int>[gaps.Count];
        _isOptional = new bool[gaps.Count];
        _isTaken = new bool[gaps.Count];
        _match = new int[gaps.Count];
        for (var gap = 0; gap < gaps.Count; gap++)
        {
            _gapOf.Add(gaps[gap].Revision, gap);
            _isOptional[gap] = gaps[gap].IsOptional;
            _candidates[gap] = [.. candidates(gaps[gap].Revision)];
            _match[gap] = -1;
        }

        for (var gap = 0; gap < gaps.Count; gap++)
        {
            if (!_isOptional[gap] && !TryAugment(gap, []))
            {
                Unmatched ??= gaps[gap].Revision;
            }
        }
    }

    /// <summary>A revision that nobody is left for, whatever the others get; null when there is none.</summary>
    public long? Unmatched { get; }

    /// <summary>Who made a revision by the present matching; −1 when that is open.</summary>
    public int MatchOf(long revision) => _gapOf.TryGetValue(revision, out var gap) ? _match[gap] : -1;

    /// <summary>Gives an operation to a revision; false, and no change, when that leaves another without one.</summary>
    public bool TryTake(long revision, int place)
    {
        if (!_gapOf.TryGetValue(revision, out var gap))
        {
            return true;
        }

        var before = _match[gap];
        if (before != place)
        {
            var hadOwner = _owner.TryGetValue(place, out var owner);
            if (hadOwner && _isTaken[owner])
            {
                return false;
            }

            Unmatch(gap);
            if (hadOwner)
            {
                Unmatch(owner);
            }

            Match(gap, place);
            _isTaken[gap] = true;
            if (hadOwner && !_isOptional[owner] && !TryAugment(owner, []))
            {
                _isTaken[gap] = false;
                Unmatch(gap);
                Match(owner, place);
                if (before >= 0)
                {
                    Match(gap, before);
                }

                return false;
            }
        }

        _isTaken[gap] = true;
        return true;
    }

    public void Release(long revision)
    {
        if (_gapOf.TryGetValue(revision, out var gap))
        {
            _isTaken[gap] = false;
            if (_isOptional[gap])
            {
                Unmatch(gap);
            }
        }
    }

    private bool TryAugment(int gap, HashSet<int> visited)
    {
        foreach (var place in _candidates[gap])
        {
            if (!visited.Add(place))
            {
                continue;
            }

            var hasOwner = _owner.TryGetValue(place, out var owner);
            if (hasOwner && (_isTaken[owner] || !TryAugment(owner, visited)))
            {
                continue;
            }

            Match(gap, place);
            return true;
        }

        return false;
    }

    private void Match(int gap, int place)
    {
        _match[gap] = place;
        _owner[place] = gap;
    }

    private void Unmatch(int gap)
    {
        if (_match[gap] >= 0 && _owner.TryGetValue(_match[gap], out var owner) && owner == gap)
        {
            _owner.Remove(_match[gap]);
        }

        _match[gap] = -1;
    }
}
