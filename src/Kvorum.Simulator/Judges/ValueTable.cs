namespace Kvorum.Simulator;

/// <summary>
/// Values as numbers: equal values have equal numbers, a list's number leads to the number of the list with one more
/// item, so a state is compared in one step however long the list.
/// </summary>
internal sealed class ValueTable
{
    public const int Absent = 0;

    /// <summary>What an append to a value that is no list leads to: nothing.</summary>
    public const int Refused = -1;

    private const int EmptyList = 1;

    private readonly Dictionary<string, int> _texts = new(StringComparer.Ordinal);
    private readonly Dictionary<string, int> _items = new(StringComparer.Ordinal);
    private readonly Dictionary<long, int> _longer = [];
    private readonly List<Node> _nodes = [new(null, -1, -1, -1), new(null, -1, -1, 0)];
    private readonly List<string> _itemTexts = [];
    private readonly List<string> _parsed = [];

    /// <summary>The number of a value; <see cref="Absent"/> for null.</summary>
    public int OfText(string? text)
    {
        if (text is null)
        {
            return Absent;
        }

        if (_texts.TryGetValue(text, out var id))
        {
            return id;
        }

        if (text.Length > 0 && text[0] == '[' && ListText.TryParse(text, _parsed))
        {
            id = EmptyList;
            foreach (var item in _parsed)
            {
                id = Append(id, Item(item));
            }
        }
        else
        {
            id = _nodes.Count;
            _nodes.Add(new Node(text, -1, -1, -1));
        }

        _texts.Add(text, id);
        return id;
    }

    /// <summary>The number of an item of lists.</summary>
    public int Item(string item)
    {
        if (!_items.TryGetValue(item, out var id))
        {
            id = _itemTexts.Count;
            _items.Add(item, id);
            _itemTexts.Add(item);
        }

        return id;
    }

    /// <summary>The list with one more item; an absent key counts as an empty list.</summary>
    public int Append(int value, int item)
    {
        var list = value == Absent ? EmptyList : value;
        var length = _nodes[list].Length;
        if (length < 0)
        {
            return Refused;
        }

        var edge = ((long)list << 32) | (uint)item;
        if (!_longer.TryGetValue(edge, out var longer))
        {
            longer = _nodes.Count;
            _nodes.Add(new Node(null, list, item, length + 1));
            _longer.Add(edge, longer);
        }

        return longer;
    }

    /// <summary>Items in a list; −1 when the value is none.</summary>
    public int Length(int value) => _nodes[value].Length;

    /// <summary>The last item of a list; −1 when there is none.</summary>
    public int LastItem(int value) => _nodes[value].Item;

    /// <summary>A list without its last item.</summary>
    public int Shorter(int value) => _nodes[value].Parent;

    public string ItemText(int item) => _itemTexts[item];

    /// <summary>For explanations: the value as text, long ones cut.</summary>
    public string Show(int value)
    {
        if (value == Absent)
        {
            return "nothing";
        }

        var text = _nodes[value].Text;
        if (text is null)
        {
            var items = new List<string>();
            for (var node = value; _nodes[node].Item >= 0; node = _nodes[node].Parent)
            {
                items.Add(_itemTexts[_nodes[node].Item]);
            }

            items.Reverse();
            text = ListText.Write(items);
        }

        return Cut(text);
    }

    /// <summary>A text of at most 80 letters: explanations are read by people.</summary>
    public static string Cut(string text) => text.Length <= 80 ? text : $"{text[..40]}…{text[^39..]}";

    private readonly record struct Node(string? Text, int Parent, int Item, int Length);
}
