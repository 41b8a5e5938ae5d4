namespace Kvorum.Simulator;

/// <summary>One key's appends and reads, in the order of the history.</summary>
internal sealed class ListKey(string text)
{
    public string Text { get; } = text;

    /// <summary>Somebody may have written or deleted it, or its items are not unique: nothing can be told.</summary>
    public bool IsLeftOut { get; set; }

    public List<ListItem> Appends { get; } = [];

    /// <summary>From an item to its place in <see cref="Appends"/>.</summary>
    public Dictionary<string, int> Appended { get; } = new(StringComparer.Ordinal);

    public List<VersionRead> Reads { get; } = [];

    /// <summary>The items of the longest list read, as places in <see cref="Appends"/>.</summary>
    public int[] Longest { get; set; } = [];

    public int LongestReader { get; set; }
}

/// <summary>An item somebody appended.</summary>
/// <param name="place">The operation that appended it.</param>
/// <param name="mayBe">Whether that may have taken effect.</param>
internal sealed class ListItem(string text, int place, bool mayBe)
{
    public string Text { get; } = text;

    public int Place { get; } = place;

    public bool MayBe { get; } = mayBe;

    /// <summary>Whether the operation appended nothing more to this key.</summary>
    public bool IsLast { get; set; } = true;

    /// <summary>The number of the last read that found it.</summary>
    public int LastSeenBy { get; set; } = -1;
}

/// <summary>What an operation read.</summary>
/// <param name="Outside">How many of the items were there without the operation's own appends.</param>
internal sealed record VersionRead(int Place, int[] Items, int Outside);
