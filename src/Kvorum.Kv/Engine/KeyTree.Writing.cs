using Kvorum.Raft;

namespace Kvorum.Kv;

/// <summary>The writer's half: find a place, then change the tree there.</summary>
internal sealed partial class KeyTree
{
    private const int LeafMergeBelow = LeafMax / 4;
    private const int InnerMergeBelow = InnerMax / 4;

    // The path of the last Locate: node at each level, and the place taken in it; the leaf is at _depth.
    private readonly ulong[] _pathNodes = new ulong[DepthMax];
    private readonly int[] _pathPlaces = new int[DepthMax];

    // A node's contents while they are changed: one more than fits while a node splits.
    private readonly ulong[] _separators = new ulong[InnerMax + 1];
    private readonly ulong[] _items = new ulong[LeafMax + 1];
    private int _depth;
    private bool _isLocated;

    /// <summary>The epoch that nodes replaced from now on belong to; 0 until views may see the tree.</summary>
    public long Epoch { get; set; }

    /// <summary>Finds a key and remembers its place for the calls below.</summary>
    /// <returns>The newest row of the key, 0 when the tree does not hold it.</returns>
    public ulong Locate(ReadOnlySpan<byte> key)
    {
        var address = _root;
        for (_depth = 0; ; _depth++)
        {
            var node = _arena.Node(address);
            _pathNodes[_depth] = address;
            if (IsLeaf(node[0]))
            {
                _pathPlaces[_depth] = FindInLeaf(node, node[0], key, out _isLocated);
                return _isLocated ? node[RowsAt + _pathPlaces[_depth]] : 0;
            }

            var place = FindChild(node, node[0], key);
            _pathPlaces[_depth] = place;
            address = node[ChildrenAt + place];
        }
    }

    /// <summary>The located key has another newest row.</summary>
    public void ReplaceLocated(ulong row)
    {
        Invariant.Holds(_isLocated, "Only a key in the tree has its row replaced.");
        Volatile.Write(ref _arena.Node(_pathNodes[_depth])[RowsAt + _pathPlaces[_depth]], row);
    }

    /// <summary>Adds a key at the place where <see cref="Locate"/> did not find it.</summary>
    public void InsertLocated(ulong row)
    {
        Invariant.Holds(!_isLocated, "Only a key not in the tree is inserted.");
        var node = _arena.Node(_pathNodes[_depth]);
        var place = _pathPlaces[_depth];
        var header = node[0];
        var count = CountOf(header);
        if (count == LeafMax)
        {
            SplitLeaf(node, place, row);
            return;
        }

        var head = HeadOf(_arena.Key(row), PrefixOf(header));
        if (place == count)
        {
            // Readers know the count, so a leaf may grow at its end where it stands.
            node[HeadsAt + count] = head;
            node[RowsAt + count] = row;
            Volatile.Write(ref node[0], header + 1);
            return;
        }

        var copyAddress = _arena.AllocateNode();
        var copy = _arena.Node(copyAddress);
        node[HeadsAt..(HeadsAt + place)].CopyTo(copy[HeadsAt..]);
        node[(HeadsAt + place)..(HeadsAt + count)].CopyTo(copy[(HeadsAt + place + 1)..]);
        node[RowsAt..(RowsAt + place)].CopyTo(copy[RowsAt..]);
        node[(RowsAt + place)..(RowsAt + count)].CopyTo(copy[(RowsAt + place + 1)..]);
        copy[HeadsAt + place] = head;
        copy[RowsAt + place] = row;
        copy[0] = header + 1;
        ReplaceNode(_depth, copyAddress);
    }

    /// <summary>Takes the located key out of the tree.</summary>
    public void RemoveLocated()
    {
        Invariant.Holds(_isLocated, "Only a key in the tree is removed.");
        var node = _arena.Node(_pathNodes[_depth]);
        var place = _pathPlaces[_depth];
        var count = CountOf(node[0]) - 1;
        node[RowsAt..(RowsAt + place)].CopyTo(_items);
        node[(RowsAt + place + 1)..(RowsAt + count + 1)].CopyTo(_items.AsSpan(place));
        if (count < LeafMergeBelow && _depth > 0 && TryMergeLeaf(count))
        {
            return;
        }

        var copyAddress = _arena.AllocateNode();
        var copy = _arena.Node(copyAddress);
        node.CopyTo(copy);
        node[(HeadsAt + place + 1)..(HeadsAt + count + 1)].CopyTo(copy[(HeadsAt + place)..]);
        _items.AsSpan(0, count).CopyTo(copy[RowsAt..]);
        copy[0] = node[0] - 1;
        ReplaceNode(_depth, copyAddress);
    }

    /// <summary>A separator key lies at another address now.</summary>
    public void MoveSeparator(ulong from, ulong to)
    {
        var key = _arena.Key(from);
        var address = _root;
        while (true)
        {
            var node = _arena.Node(address);
            Invariant.Holds(!IsLeaf(node[0]), "A separator that was not dropped stands in an inner node.");
            var place = FindChild(node, node[0], key);
            if (place > 0 && node[SeparatorsAt + place] == from)
            {
                Volatile.Write(ref node[SeparatorsAt + place], to);
                return;
            }

            address = node[ChildrenAt + place];
        }
    }

    private static int CommonPrefix(ReadOnlySpan<byte> left, ReadOnlySpan<byte> right) =>
        left.CommonPrefixLength(right);

    private void SplitLeaf(Span<ulong> node, int place, ulong row)
    {
        node.Slice(RowsAt, place).CopyTo(_items);
        node[(RowsAt + place)..(RowsAt + LeafMax)].CopyTo(_items.AsSpan(place + 1));
        _items[place] = row;

        // Keys that come in order fill their leaves: an insert at the end starts a new leaf instead of halving this
        // one.
        var middle = place == LeafMax ? LeafMax : (LeafMax + 1) / 2;
        var separator = AddSeparator(_arena.Key(_items[middle - 1]), _arena.Key(_items[middle]));
        var left = BuildLeaf(_items.AsSpan(0, middle), LowFence(_depth), separator);
        var right = BuildLeaf(_items.AsSpan(middle, LeafMax + 1 - middle), separator, HighFence(_depth));
        ReplaceByTwo(_depth, left, separator, right);
    }

    /// <summary>The shortest key above <paramref name="left"/> and not above <paramref name="right"/>.</summary>
    private ulong AddSeparator(ReadOnlySpan<byte> left, ReadOnlySpan<byte> right)
    {
        var key = right[..(CommonPrefix(left, right) + 1)];
        var address = _arena.AllocateRow(key.Length, 0);
        _arena.Head(address) = new RowHead { KeyLength = (ushort)key.Length, Kind = RowKind.Separator };
        key.CopyTo(_arena.Body(address));
        return address;
    }

    /// <summary>The separator before the node of the path at a level; 0 when nothing is before it.</summary>
    private ulong LowFence(int level)
    {
        for (var above = level - 1; above >= 0; above--)
        {
            if (_pathPlaces[above] > 0)
            {
                return _arena.Node(_pathNodes[above])[SeparatorsAt + _pathPlaces[above]];
            }
        }

        return 0;
    }

    /// <summary>The separator behind the node of the path at a level; 0 when nothing is behind it.</summary>
    private ulong HighFence(int level)
    {
        for (var above = level - 1; above >= 0; above--)
        {
            var node = _arena.Node(_pathNodes[above]);
            if (_pathPlaces[above] + 1 < CountOf(node[0]))
            {
                return node[SeparatorsAt + _pathPlaces[above] + 1];
            }
        }

        return 0;
    }

    private int PrefixBetween(ulong lowFence, ulong highFence) =>
        lowFence == 0 || highFence == 0 ? 0 : CommonPrefix(_arena.Key(lowFence), _arena.Key(highFence));

    private ulong BuildLeaf(ReadOnlySpan<ulong> rows, ulong lowFence, ulong highFence)
    {
        var address = _arena.AllocateNode();
        var node = _arena.Node(address);
        var prefix = PrefixBetween(lowFence, highFence);
        for (var place = 0; place < rows.Length; place++)
        {
            node[HeadsAt + place] = HeadOf(_arena.Key(rows[place]), prefix);
        }

        rows.CopyTo(node[RowsAt..]);
        node[0] = HeaderOf(rows.Length, prefix, isLeaf: true);
        return address;
    }

    private ulong BuildInner(
        ReadOnlySpan<ulong> separators, ReadOnlySpan<ulong> children, ulong lowFence, ulong highFence)
    {
        var address = _arena.AllocateNode();
        var node = _arena.Node(address);
        var prefix = PrefixBetween(lowFence, highFence);
        for (var place = 1; place < children.Length; place++)
        {
            node[HeadsAt + place] = HeadOf(_arena.Key(separators[place]), prefix);
        }

        separators.CopyTo(node[SeparatorsAt..]);
        children.CopyTo(node[ChildrenAt..]);
        node[0] = HeaderOf(children.Length, prefix, isLeaf: false);
        return address;
    }

    /// <summary>One store puts a finished node in the place of the node of the path at a level.</summary>
    private void ReplaceNode(int level, ulong address)
    {
        if (level == 0)
        {
            Volatile.Write(ref _root, address);
        }
        else
        {
            Volatile.Write(ref _arena.Node(_pathNodes[level - 1])[ChildrenAt + _pathPlaces[level - 1]], address);
        }

        _arena.RetireNode(_pathNodes[level], Epoch);
        _pathNodes[level] = address;
    }

    /// <summary>Puts two nodes in the place of one, splitting upwards as far as needed.</summary>
    private void ReplaceByTwo(int level, ulong left, ulong separator, ulong right)
    {
        if (level == 0)
        {
            ReplaceNode(0, BuildInner([0, separator], [left, right], 0, 0));
            return;
        }

        var above = level - 1;
        var node = _arena.Node(_pathNodes[above]);
        var place = _pathPlaces[above];
        var count = TakeInner(node, 0);
        _separators.AsSpan(place + 1, count - place - 1).CopyTo(_separators.AsSpan(place + 2));
        _items.AsSpan(place + 1, count - place - 1).CopyTo(_items.AsSpan(place + 2));
        _items[place] = left;
        _items[place + 1] = right;
        _separators[place + 1] = separator;
        count++;
        if (count <= InnerMax)
        {
            ReplaceNode(above, BuildInner(
                _separators.AsSpan(0, count), _items.AsSpan(0, count), LowFence(above), HighFence(above)));
        }
        else
        {
            SplitInner(above, place + 2 == count ? count - 2 : count / 2);
        }

        _arena.RetireNode(_pathNodes[level], Epoch);
    }

    private void SplitInner(int level, int middle)
    {
        const int count = InnerMax + 1;
        var separator = _separators[middle];
        var left = BuildInner(
            _separators.AsSpan(0, middle), _items.AsSpan(0, middle), LowFence(level), separator);
        _separators[middle] = 0;
        var right = BuildInner(
            _separators.AsSpan(middle, count - middle),
            _items.AsSpan(middle, count - middle),
            separator,
            HighFence(level));
        ReplaceByTwo(level, left, separator, right);
    }

    /// <summary>Takes an inner node's separators and children up, from a place on.</summary>
    private int TakeInner(ReadOnlySpan<ulong> node, int at)
    {
        var count = CountOf(node[0]);
        node.Slice(SeparatorsAt, count).CopyTo(_separators.AsSpan(at));
        node.Slice(ChildrenAt, count).CopyTo(_items.AsSpan(at));
        return count;
    }

    /// <summary>Joins the leaf of the path, whose rows were taken up, with a neighbour under the same parent.</summary>
    private bool TryMergeLeaf(int count)
    {
        if (!TryChooseNeighbour(_depth, count, LeafMax, out var neighbour, out var isRight))
        {
            return false;
        }

        var node = _arena.Node(neighbour);
        var total = count + CountOf(node[0]);
        if (!isRight)
        {
            _items.AsSpan(0, count).CopyTo(_items.AsSpan(total - count));
        }

        node.Slice(RowsAt, total - count).CopyTo(_items.AsSpan(isRight ? count : 0));
        var (low, high) = FencesWith(_depth, isRight);
        var joined = BuildLeaf(_items.AsSpan(0, total), low, high);
        var separator = SeparatorBetween(_depth, isRight);
        ReplaceByOne(_depth, joined, neighbour, isRight);
        _arena.ReleaseRow(separator, Epoch);
        return true;
    }

    private ulong SeparatorBetween(int level, bool isRight) =>
        _arena.Node(_pathNodes[level - 1])[SeparatorsAt + _pathPlaces[level - 1] + (isRight ? 1 : 0)];

    /// <summary>A neighbour that leaves a quarter of the joined node free.</summary>
    private bool TryChooseNeighbour(int level, int count, int countMax, out ulong neighbour, out bool isRight)
    {
        var parent = _arena.Node(_pathNodes[level - 1]);
        var place = _pathPlaces[level - 1];
        isRight = true;
        neighbour = 0;
        if (place + 1 < CountOf(parent[0]))
        {
            neighbour = parent[ChildrenAt + place + 1];
        }

        if (place > 0 && (neighbour == 0 || count + CountOf(_arena.Node(neighbour)[0]) > countMax * 3 / 4))
        {
            isRight = false;
            neighbour = parent[ChildrenAt + place - 1];
        }

        return neighbour != 0 && count + CountOf(_arena.Node(neighbour)[0]) <= countMax * 3 / 4;
    }

    /// <summary>The fences of a path's node joined with its neighbour.</summary>
    private (ulong Low, ulong High) FencesWith(int level, bool isRight)
    {
        var place = _pathPlaces[level - 1];
        _pathPlaces[level - 1] = isRight ? place : place - 1;
        var low = LowFence(level);
        _pathPlaces[level - 1] = isRight ? place + 1 : place;
        var high = HighFence(level);
        _pathPlaces[level - 1] = place;
        return (low, high);
    }

    /// <summary>Puts one node in the place of a path's node and its neighbour, joining upwards as far as
    /// useful.</summary>
    private void ReplaceByOne(int level, ulong joined, ulong neighbour, bool isRight)
    {
        _arena.RetireNode(_pathNodes[level], Epoch);
        _arena.RetireNode(neighbour, Epoch);
        var above = level - 1;
        var node = _arena.Node(_pathNodes[above]);
        var removed = isRight ? _pathPlaces[above] + 1 : _pathPlaces[above];
        var count = TakeInner(node, 0) - 1;
        _separators.AsSpan(removed + 1, count - removed).CopyTo(_separators.AsSpan(removed));
        _items.AsSpan(removed + 1, count - removed).CopyTo(_items.AsSpan(removed));
        _items[removed - 1] = joined;
        if (above == 0 && count == 1)
        {
            ReplaceNode(0, joined);
        }
        else if (count >= InnerMergeBelow || above == 0 || !TryMergeInner(above, count))
        {
            ReplaceNode(above, BuildInner(
                _separators.AsSpan(0, count), _items.AsSpan(0, count), LowFence(above), HighFence(above)));
        }
    }

    private bool TryMergeInner(int level, int count)
    {
        if (!TryChooseNeighbour(level, count, InnerMax, out var neighbour, out var isRight))
        {
            return false;
        }

        // The separator comes down between the children of the two.
        var between = SeparatorBetween(level, isRight);
        var node = _arena.Node(neighbour);
        var others = CountOf(node[0]);
        if (isRight)
        {
            TakeInner(node, count);
            _separators[count] = between;
        }
        else
        {
            _separators.AsSpan(0, count).CopyTo(_separators.AsSpan(others));
            _items.AsSpan(0, count).CopyTo(_items.AsSpan(others));
            TakeInner(node, 0);
            _separators[others] = between;
        }

        var total = count + others;
        var (low, high) = FencesWith(level, isRight);
        var joined = BuildInner(_separators.AsSpan(0, total), _items.AsSpan(0, total), low, high);
        ReplaceByOne(level, joined, neighbour, isRight);
        return true;
    }
}
