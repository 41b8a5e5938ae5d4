using System.Globalization;
using System.Text;

namespace Kvorum.Simulator;

/// <summary>
/// The judges' own reading of lists (a JSON array of strings, RFC 8259), so that no judge trusts the parser of the
/// code it judges.
/// </summary>
internal static class ListText
{
    /// <summary>Reads the items into <paramref name="items"/>, which is cleared first.</summary>
    /// <returns>False when the text is not a list of strings.</returns>
    public static bool TryParse(string text, List<string> items)
    {
        items.Clear();
        var at = SkipSpace(text, 0);
        if (at >= text.Length || text[at] != '[')
        {
            return false;
        }

        at = SkipSpace(text, at + 1);
        if (at < text.Length && text[at] == ']')
        {
            return SkipSpace(text, at + 1) == text.Length;
        }

        while (TryItem(text, ref at, items))
        {
            at = SkipSpace(text, at);
            if (at < text.Length && text[at] == ',')
            {
                at = SkipSpace(text, at + 1);
                continue;
            }

            return at < text.Length && text[at] == ']' && SkipSpace(text, at + 1) == text.Length;
        }

        return false;
    }

    /// <summary>The canonical text: no white space; quotes, backslashes and control characters escaped.</summary>
    public static string Write(IEnumerable<string> items)
    {
        var text = new StringBuilder("[");
        foreach (var item in items)
        {
            text.Append(text.Length > 1 ? ",\"" : "\"");
            foreach (var letter in item)
            {
                AppendEscaped(text, letter);
            }

            text.Append('"');
        }

        return text.Append(']').ToString();
    }

    private static void AppendEscaped(StringBuilder text, char letter)
    {
        if (letter is '"' or '\\')
        {
            text.Append('\\').Append(letter);
        }
        else if (letter < ' ')
        {
            text.Append("\\u").Append(((int)letter).ToString("x4", CultureInfo.InvariantCulture));
        }
        else
        {
            text.Append(letter);
        }
    }

    private static bool TryItem(string text, ref int at, List<string> items)
    {
        if (at >= text.Length || text[at] != '"')
        {
            return false;
        }

        var start = at + 1;
        var end = text.AsSpan(start).IndexOfAny('"', '\\');
        if (end >= 0 && text[start + end] == '"')
        {
            items.Add(text.Substring(start, end));
            at = start + end + 1;
            return true;
        }

        return end >= 0 && TryEscapedItem(text, ref at, items);
    }

    private static bool TryEscapedItem(string text, ref int at, List<string> items)
    {
        var item = new StringBuilder();
        for (at++; at < text.Length && text[at] != '"'; at++)
        {
            if (text[at] != '\\')
            {
                item.Append(text[at]);
                continue;
            }

            if (++at >= text.Length || !TryEscape(text, ref at, out var letter))
            {
                return false;
            }

            item.Append(letter);
        }

        items.Add(item.ToString());
        return at++ < text.Length;
    }

    private static bool TryEscape(string text, ref int at, out char letter)
    {
        letter = text[at] switch
        {
            '"' or '\\' or '/' => text[at],
            'b' => '\b',
            'f' => '\f',
            'n' => '\n',
            'r' => '\r',
            't' => '\t',
            _ => '\0',
        };
        if (letter != '\0' || text[at] != 'u' || at + 4 >= text.Length)
        {
            return letter != '\0';
        }

        var isNumber = ushort.TryParse(
            text.AsSpan(at + 1, 4), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out var unit);
        letter = (char)unit;
        at += 4;
        return isNumber;
    }

    private static int SkipSpace(string text, int at)
    {
        while (at < text.Length && text[at] is ' ' or '\t' or '\n' or '\r')
        {
            at++;
        }

        return at;
    }
}
