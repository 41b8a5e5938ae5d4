using System.Buffers.Binary;
using System.Numerics;

namespace Kvorum.Kv;

/// <summary>
/// A B+tree from key to the address of its newest row. Readers need neither lock nor retry: a node that can be reached
/// never changes but for single aligned words (a child, a row, the count when a leaf grows at its end); everything else
/// replaces the node by a changed copy with one store into its parent, and the old node stays as it is until no view
/// is open that could have seen it.
/// </summary>
/// <remarks>
/// A node holds, for each key, eight bytes of it as a number: those after the prefix that all keys between the
/// node's two
/// fences (the separators around it) must share. So the search in a node stays within the node until the last step, and
/// needs no comparison of the prefix. Layout in words: header; leaf: heads, rows; inner: heads, separators, children.
/// The separator at place i stands before child i; place 0 has none.
/// </remarks>
internal sealed partial class KeyTree
{
    public const int LeafMax = (Arena.NodeWords - 1) / 2;
    public const int InnerMax = (Arena.NodeWords - 1) / 3;

    /// <summary>Inner nodes hold at least two children where they are made, so this is out of reach.</summary>
    public const int DepthMax = 24;

    private const int HeadsAt = 1;
    private const int RowsAt = HeadsAt + LeafMax;
    private const int SeparatorsAt = HeadsAt + InnerMax;
    private const int ChildrenAt = SeparatorsAt + InnerMax;

    private readonly Arena _arena;
    private ulong _root;

    public KeyTree(Arena arena)
    {
        _arena = arena;
        _root = arena.AllocateNode();
        arena.Node(_root)[0] = HeaderOf(0, 0, isLeaf: true);
    }

    /// <summary>The newest row of a key, 0 when the tree does not hold the key. Any thread.</summary>
    public ulong Find(ReadOnlySpan<byte> key)
    {
        var node = _arena.Node(Volatile.Read(ref _root));
        while (true)
        {
            var header = Volatile.Read(ref node[0]);
            if (IsLeaf(header))
            {
                var place = FindInLeaf(node, header, key, out var isFound);
                return isFound ? Volatile.Read(ref node[RowsAt + place]) : 0;
            }

            var child = FindChild(node, header, key);
            node = _arena.Node(Volatile.Read(ref node[ChildrenAt + child]));
        }
    }

    private static ulong HeaderOf(int count, int prefixLength, bool isLeaf) =>
        (uint)count | ((ulong)(uint)prefixLength << 16) | (isLeaf ? 1UL << 32 : 0);

    private static int CountOf(ulong header) => (int)(header & 0xFFFF);

    private static int PrefixOf(ulong header) => (int)((header >> 16) & 0xFFFF);

    private static bool IsLeaf(ulong header) => header >> 32 != 0;

    /// <summary>Eight bytes of a key after the prefix, as a number that orders like them; zeros behind a short
    /// key.</summary>
    private static ulong HeadOf(ReadOnlySpan<byte> key, int prefixLength)
    {
        if (key.Length - prefixLength >= sizeof(ulong))
        {
            return BinaryPrimitives.ReadUInt64BigEndian(key[prefixLength..]);
        }

        ulong head = 0;
        for (var place = prefixLength; place < prefixLength + sizeof(ulong); place++)
        {
            head = (head << 8) | (place < key.Length ? key[place] : 0UL);
        }

        return head;
    }

    /// <summary>The number of heads below <paramref name="head"/>, so the first place that is not.</summary>
    /// <remarks>
    /// Looks at all of them: the loads do not wait for each other, where each step of a binary search would wait for
    /// memory (by how much: DESIGN.md).
    /// </remarks>
    private static int LowerBound(ReadOnlySpan<ulong> heads, ulong head)
    {
        var sought = new Vector<ulong>(head);
        var below = Vector<ulong>.Zero;
        var place = 0;
        for (; place <= heads.Length - Vector<ulong>.Count; place += Vector<ulong>.Count)
        {
            // A lane of LessThan is all ones, minus one, where it holds.
            below -= Vector.LessThan(new Vector<ulong>(heads[place..]), sought);
        }

        var count = (int)Vector.Sum(below);
        for (; place < heads.Length; place++)
        {
            count += heads[place] < head ? 1 : 0;
        }

        return count;
    }

    /// <summary>The first place in a leaf whose key is not below <paramref name="key"/>.</summary>
    private int FindInLeaf(Span<ulong> node, ulong header, ReadOnlySpan<byte> key, out bool isFound)
    {
        var head = HeadOf(key, PrefixOf(header));
        var heads = node.Slice(HeadsAt, CountOf(header));
        var low = LowerBound(heads, head);
        var high = low;
        while (high < heads.Length && heads[high] == head)
        {
            high++;
        }

        // Usually one place; more when keys agree in the prefix and the eight bytes after it.
        while (low < high)
        {
            var middle = low + ((high - low) >> 1);
            var order = _arena.Key(Volatile.Read(ref node[RowsAt + middle])).SequenceCompareTo(key);
            if (order == 0)
            {
                isFound = true;
                return middle;
            }

            if (order < 0)
            {
                low = middle + 1;
            }
            else
            {
                high = middle;
            }
        }

        isFound = false;
        return low;
    }

    /// <summary>The place of the child whose fences are around <paramref name="key"/>.</summary>
    private int FindChild(Span<ulong> node, ulong header, ReadOnlySpan<byte> key)
    {
        var head = HeadOf(key, PrefixOf(header));
        var heads = node.Slice(HeadsAt + 1, CountOf(header) - 1);
        var low = LowerBound(heads, head);
        var high = low;
        while (high < heads.Length && heads[high] == head)
        {
            high++;
        }

        while (low < high)
        {
            var middle = low + ((high - low) >> 1);
            if (_arena.Key(Volatile.Read(ref node[SeparatorsAt + 1 + middle])).SequenceCompareTo(key) <= 0)
            {
                low = middle + 1;
            }
            else
            {
                high = middle;
            }
        }

        return low;
    }
}
