using System.Runtime.CompilerServices;

namespace Kvorum.Kv;

internal sealed partial class KeyTree
{
    /// <summary>
    /// Walks keys in order, on any thread, while the tree changes. It keeps its path; a node of the path that has been
    /// replaced since still leads to every key that a view opened before the walk may see.
    /// </summary>
    public ref struct Cursor
    {
        private readonly KeyTree _tree;
        private Span<ulong> _leaf;
        private NodePath _nodes;
        private PlacePath _places;
        private int _depth;
        private int _place;
        private int _count;

        /// <summary>Stands before the first key at or after <paramref name="start"/>.</summary>
        public Cursor(KeyTree tree, ReadOnlySpan<byte> start)
        {
            _tree = tree;
            var address = Volatile.Read(ref tree._root);
            while (true)
            {
                var node = tree._arena.Node(address);
                var header = Volatile.Read(ref node[0]);
                if (IsLeaf(header))
                {
                    _leaf = node;
                    _count = CountOf(header);
                    _place = tree.FindInLeaf(node, header, start, out _) - 1;
                    return;
                }

                var place = tree.FindChild(node, header, start);
                _nodes[_depth] = address;
                _places[_depth] = place;
                _depth++;
                address = Volatile.Read(ref node[ChildrenAt + place]);
            }
        }

        /// <summary>The newest row of the key the cursor stands on.</summary>
        public readonly ulong Row => Volatile.Read(ref _leaf[RowsAt + _place]);

        public bool MoveNext()
        {
            _place++;
            while (_place >= _count)
            {
                if (!MoveToNextLeaf())
                {
                    return false;
                }
            }

            return true;
        }

        private bool MoveToNextLeaf()
        {
            var level = _depth - 1;
            while (level >= 0 && _places[level] + 1 >= CountOf(_tree._arena.Node(_nodes[level])[0]))
            {
                level--;
            }

            if (level < 0)
            {
                return false;
            }

            var place = _places[level] + 1;
            _places[level] = place;
            var address = Volatile.Read(ref _tree._arena.Node(_nodes[level])[ChildrenAt + place]);
            var node = _tree._arena.Node(address);
            var header = Volatile.Read(ref node[0]);
            _depth = level + 1;
            while (!IsLeaf(header))
            {
                _nodes[_depth] = address;
                _places[_depth] = 0;
                _depth++;
                address = Volatile.Read(ref node[ChildrenAt]);
                node = _tree._arena.Node(address);
                header = Volatile.Read(ref node[0]);
            }

            _leaf = node;
            _count = CountOf(header);
            _place = 0;
            return true;
        }
    }

    [InlineArray(DepthMax)]
    private struct NodePath
    {
        private ulong _first;
    }

    [InlineArray(DepthMax)]
    private struct PlacePath
    {
        private int _first;
    }
}
