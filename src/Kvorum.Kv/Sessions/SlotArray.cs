namespace Kvorum.Kv;

/// <summary>A growing array of structs whose free slots are used again, the last freed first.</summary>
internal sealed class SlotArray<T>
    where T : struct
{
    private const int CapacityMin = 16;

    private T[] _items = [];
    private int[] _free = [];
    private int _freeCount;
    private int _used;

    public ref T this[int slot] => ref _items[slot];

    /// <summary>Takes a slot; the array never grows past <paramref name="capacityMax"/>.</summary>
    public int Take(int capacityMax)
    {
        if (_freeCount > 0)
        {
            return _free[--_freeCount];
        }

        if (_used == _items.Length)
        {
            var capacity = (int)Math.Min(capacityMax, Math.Max(CapacityMin, _items.Length * 3L / 2));
            Array.Resize(ref _items, capacity);
        }

        return _used++;
    }

    public void Release(int slot)
    {
        if (_freeCount == _free.Length)
        {
            Array.Resize(ref _free, Math.Max(CapacityMin, 2 * _free.Length));
        }

        _free[_freeCount++] = slot;
    }

    /// <summary>The slots as they are now.</summary>
    public T[] Copy() => _items.AsSpan(0, _used).ToArray();
}
