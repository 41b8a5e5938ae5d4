namespace Kvorum.Server.Rest;

/// <summary>Percent-decoding to bytes (RFC 3986 §2.1), once and strictly.</summary>
internal static class Percent
{
    /// <summary>Decodes a part of a path: a plus sign is itself.</summary>
    /// <returns>
    /// False when a percent sign is not followed by two hexadecimal digits, or a character is not ASCII.
    /// </returns>
    public static bool TryDecode(ReadOnlySpan<char> text, out byte[] bytes) =>
        TryDecode(text, plusIsSpace: false, out bytes);

    /// <summary>Decodes a name or value of a query or form: a plus sign is a space.</summary>
    public static bool TryDecodeForm(ReadOnlySpan<char> text, out byte[] bytes) =>
        TryDecode(text, plusIsSpace: true, out bytes);

    /// <summary>Decodes a name or value of a form as it came in a body.</summary>
    public static bool TryDecodeForm(ReadOnlySpan<byte> text, out byte[] bytes)
    {
        bytes = [];
        var decoded = new byte[text.Length];
        var written = 0;
        for (var i = 0; i < text.Length; i++)
        {
            var value = text[i];
            if (value == '%')
            {
                if (i + 2 >= text.Length || !TryHex((char)text[i + 1], (char)text[i + 2], out value))
                {
                    return false;
                }

                i += 2;
            }
            else if (value == '+')
            {
                value = (byte)' ';
            }

            decoded[written++] = value;
        }

        bytes = decoded[..written];
        return true;
    }

    private static bool TryDecode(ReadOnlySpan<char> text, bool plusIsSpace, out byte[] bytes)
    {
        bytes = [];
        var escapes = text.Count('%');
        var length = text.Length - 2 * escapes;
        if (length < 0)
        {
            return false;
        }

        var decoded = new byte[length];
        var written = 0;
        for (var i = 0; i < text.Length; i++)
        {
            var character = text[i];
            if (character > 0x7F || written == length)
            {
                return false;
            }

            var value = (byte)character;
            if (character == '%')
            {
                if (i + 2 >= text.Length || !TryHex(text[i + 1], text[i + 2], out value))
                {
                    return false;
                }

                i += 2;
            }
            else if (plusIsSpace && character == '+')
            {
                value = (byte)' ';
            }

            decoded[written++] = value;
        }

        bytes = decoded;
        return written == length;
    }

    private static bool TryHex(char high, char low, out byte value)
    {
        value = 0;
        if (!char.IsAsciiHexDigit(high) || !char.IsAsciiHexDigit(low))
        {
            return false;
        }

        value = (byte)((DigitOf(high) << 4) | DigitOf(low));
        return true;
    }

    private static int DigitOf(char digit) => digit <= '9' ? digit - '0' : (digit | 0x20) - 'a' + 10;
}
