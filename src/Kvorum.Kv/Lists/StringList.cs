using System.Buffers;
using System.Text;
using System.Text.Unicode;

namespace Kvorum.Kv;

/// <summary>
/// Values that are lists of strings: a JSON array of strings in UTF-8 (RFC 8259), and nothing else. Written
/// canonically: no white space, and only quotes, backslashes and control characters escaped. Read with any legal escape
/// and white space. Half a surrogate pair is refused: it is no text.
/// </summary>
public static class StringList
{
    /// <summary>What ends a run of plain bytes inside a string.</summary>
    private static readonly SearchValues<byte> Special = SearchValues.Create(
        [.. Enumerable.Range(0, 0x20).Select(control => (byte)control), (byte)'"', (byte)'\\']);

    private static readonly SearchValues<byte> WhiteSpace = SearchValues.Create(" \t\n\r"u8);

    /// <summary>Whether <paramref name="json"/> is a list of strings, and how many it holds.</summary>
    public static bool TryParse(ReadOnlySpan<byte> json, out int count) =>
        TryScan(json, null, out count, out _);

    /// <summary>Reads the strings; null when <paramref name="json"/> is not a list of strings.</summary>
    public static bool TryParse(ReadOnlySpan<byte> json, out List<string>? items)
    {
        items = [];
        if (!TryScan(json, items, out _, out _))
        {
            items = null;
            return false;
        }

        return true;
    }

    /// <summary>Writes the canonical list.</summary>
    /// <exception cref="ArgumentException">A string holds half a surrogate pair.</exception>
    public static byte[] Encode(IEnumerable<string> items)
    {
        var output = new ArrayBufferWriter<byte>();
        output.Write("["u8);
        var isFirst = true;
        foreach (var item in items)
        {
            if (!isFirst)
            {
                output.Write(","u8);
            }

            isFirst = false;
            var text = ToUtf8(item);
            var length = QuotedLength(text);
            WriteQuoted(text, output.GetSpan(length)[..length]);
            output.Advance(length);
        }

        output.Write("]"u8);
        return output.WrittenSpan.ToArray();
    }

    /// <summary>
    /// Builds the list with one more item, in <paramref name="buffer"/>; the old items keep their bytes.
    /// </summary>
    internal static CommandStatus TryAppend(
        ReadOnlySpan<byte> stored,
        ReadOnlySpan<byte> item,
        ListBuffer buffer,
        out ReadOnlySpan<byte> list,
        out int count)
    {
        list = default;
        if (!Utf8.IsValid(item) || !TryScan(stored, null, out count, out var itemsEnd))
        {
            count = 0;
            return CommandStatus.NotAList;
        }

        var separator = count > 0 ? 1 : 0;
        var quoted = QuotedLength(item);
        var length = (long)itemsEnd + separator + quoted + 1;
        if (length > KvLimits.ValueBytesMax)
        {
            count = 0;
            return CommandStatus.ValueTooLarge;
        }

        var output = buffer.Take((int)length);
        stored[..itemsEnd].CopyTo(output);
        if (separator > 0)
        {
            output[itemsEnd] = (byte)',';
        }

        WriteQuoted(item, output.Slice(itemsEnd + separator, quoted));
        output[^1] = (byte)']';
        list = output;
        count++;
        return CommandStatus.Ok;
    }

    /// <param name="itemsEnd">Where the next item would go: behind the last one, or behind the opening bracket.</param>
    private static bool TryScan(ReadOnlySpan<byte> json, List<string>? items, out int count, out int itemsEnd)
    {
        count = 0;
        itemsEnd = 0;
        var position = SkipWhiteSpace(json, 0);
        if (!Utf8.IsValid(json) || !IsAt(json, position, '['))
        {
            return false;
        }

        itemsEnd = position + 1;
        position = SkipWhiteSpace(json, itemsEnd);
        if (!IsAt(json, position, ']'))
        {
            while (true)
            {
                if (!TryString(json, ref position, items))
                {
                    return false;
                }

                count++;
                itemsEnd = position;
                position = SkipWhiteSpace(json, position);
                if (!IsAt(json, position, ','))
                {
                    break;
                }

                position = SkipWhiteSpace(json, position + 1);
            }
        }

        return IsAt(json, position, ']') && SkipWhiteSpace(json, position + 1) == json.Length;
    }

    private static bool TryString(ReadOnlySpan<byte> json, ref int position, List<string>? items)
    {
        if (!IsAt(json, position, '"'))
        {
            return false;
        }

        position++;
        var text = items is null ? null : new StringBuilder();
        while (true)
        {
            var plain = json[position..].IndexOfAny(Special);
            if (plain < 0)
            {
                return false;
            }

            text?.Append(ToUtf16(json.Slice(position, plain)));
            position += plain;
            if (json[position] == '"')
            {
                position++;
                items?.Add(text!.ToString()); // Both or neither are there.
                return true;
            }

            if (json[position] != '\\' || !TryEscape(json, ref position, text))
            {
                return false;
            }
        }
    }

    private static bool TryEscape(ReadOnlySpan<byte> json, ref int position, StringBuilder? text)
    {
        if (position + 1 >= json.Length)
        {
            return false;
        }

        var letter = json[position + 1];
        if (letter == 'u')
        {
            return TryUnicodeEscape(json, ref position, text);
        }

        char? unescaped = letter switch
        {
            (byte)'"' => '"',
            (byte)'\\' => '\\',
            (byte)'/' => '/',
            (byte)'b' => '\b',
            (byte)'f' => '\f',
            (byte)'n' => '\n',
            (byte)'r' => '\r',
            (byte)'t' => '\t',
            _ => null,
        };
        position += 2;
        text?.Append(unescaped);
        return unescaped is not null;
    }

    private static bool TryUnicodeEscape(ReadOnlySpan<byte> json, ref int position, StringBuilder? text)
    {
        if (!TryCodeUnit(json, ref position, out var first) || char.IsLowSurrogate(first))
        {
            return false;
        }

        text?.Append(first);
        if (!char.IsHighSurrogate(first))
        {
            return true;
        }

        if (!TryCodeUnit(json, ref position, out var second) || !char.IsLowSurrogate(second))
        {
            return false;
        }

        text?.Append(second);
        return true;
    }

    /// <summary>Reads backslash, u and four hexadecimal digits.</summary>
    private static bool TryCodeUnit(ReadOnlySpan<byte> json, ref int position, out char unit)
    {
        unit = '\0';
        if (position + 6 > json.Length || json[position] != '\\' || json[position + 1] != 'u')
        {
            return false;
        }

        var value = 0;
        foreach (var digit in json.Slice(position + 2, 4))
        {
            if (!char.IsAsciiHexDigit((char)digit))
            {
                return false;
            }

            value = (value << 4) | (digit <= '9' ? digit - '0' : (digit | 0x20) - 'a' + 10);
        }

        position += 6;
        unit = (char)value;
        return true;
    }

    private static ReadOnlySpan<char> ToUtf16(ReadOnlySpan<byte> text)
    {
        var characters = new char[text.Length];
        Utf8.ToUtf16(text, characters, out _, out var written);
        return characters.AsSpan(0, written);
    }

    private static ReadOnlySpan<byte> ToUtf8(string item)
    {
        ArgumentNullException.ThrowIfNull(item);
        var bytes = new byte[3 * item.Length];
        var status = Utf8.FromUtf16(item, bytes, out _, out var written, replaceInvalidSequences: false);
        return status == OperationStatus.Done
            ? bytes.AsSpan(0, written)
            : throw new ArgumentException("An item of a list: expected text, found half a surrogate pair.");
    }

    private static int QuotedLength(ReadOnlySpan<byte> text)
    {
        var length = 2 + text.Length;
        while (text.IndexOfAny(Special) is >= 0 and var next)
        {
            length += HasShortEscape(text[next]) ? 1 : 5;
            text = text[(next + 1)..];
        }

        return length;
    }

    private static void WriteQuoted(ReadOnlySpan<byte> text, Span<byte> output)
    {
        output[0] = (byte)'"';
        output[^1] = (byte)'"';
        output = output[1..];
        while (text.IndexOfAny(Special) is >= 0 and var next)
        {
            text[..next].CopyTo(output);
            output = output[(next + WriteEscaped(text[next], output[next..]))..];
            text = text[(next + 1)..];
        }

        text.CopyTo(output);
    }

    private static bool HasShortEscape(byte character) => ShortEscape(character) != 0;

    private static byte ShortEscape(byte character) => character switch
    {
        (byte)'"' => (byte)'"',
        (byte)'\\' => (byte)'\\',
        (byte)'\b' => (byte)'b',
        (byte)'\f' => (byte)'f',
        (byte)'\n' => (byte)'n',
        (byte)'\r' => (byte)'r',
        (byte)'\t' => (byte)'t',
        _ => 0,
    };

    private static int WriteEscaped(byte character, Span<byte> output)
    {
        output[0] = (byte)'\\';
        if (HasShortEscape(character))
        {
            output[1] = ShortEscape(character);
            return 2;
        }

        var digits = "0123456789abcdef"u8;
        output[1] = (byte)'u';
        output[2] = (byte)'0';
        output[3] = (byte)'0';
        output[4] = digits[character >> 4];
        output[5] = digits[character & 0xF];
        return 6;
    }

    private static bool IsAt(ReadOnlySpan<byte> json, int position, char expected) =>
        position < json.Length && json[position] == expected;

    private static int SkipWhiteSpace(ReadOnlySpan<byte> json, int position)
    {
        var length = json[position..].IndexOfAnyExcept(WhiteSpace);
        return length < 0 ? json.Length : position + length;
    }
}
