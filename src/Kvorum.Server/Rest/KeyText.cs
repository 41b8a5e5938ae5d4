using System.Buffers.Text;
using System.Text;
using System.Text.Json;
using System.Text.Unicode;
using Kvorum.Kv;

namespace Kvorum.Server.Rest;

/// <summary>Keys in paths, and keys and values in JSON.</summary>
internal static class KeyText
{
    /// <summary>Decodes the key of a path, percent-encoded or base64url.</summary>
    /// <exception cref="ProblemException">It is malformed, empty or too long.</exception>
    public static byte[] FromPath(ReadOnlySpan<char> encoded, bool isBase64 = false)
    {
        byte[] key;
        if (isBase64)
        {
            key = TryFromBase64(encoded, out var bytes)
                ? bytes
                : throw new ProblemException(
                    Problem.BadTarget, $"Key: expected base64url, found {Problem.Quote(encoded)}.");
        }
        else if (!Percent.TryDecode(encoded, out key))
        {
            throw new ProblemException(
                Problem.BadTarget,
                $"Key: expected ASCII, two hexadecimal digits after a percent sign, found {Problem.Quote(encoded)}.");
        }

        Check(key);
        return key;
    }

    /// <exception cref="ProblemException">The key is empty or too long.</exception>
    public static void Check(ReadOnlySpan<byte> key)
    {
        if (key.IsEmpty)
        {
            throw new ProblemException(Problem.EmptyKey, "Key: expected at least one byte, found none.");
        }

        if (key.Length > KvLimits.KeyBytesMax)
        {
            throw new ProblemException(
                Problem.KeyTooLarge, $"Key: expected at most {KvLimits.KeyBytesMax} bytes, found {key.Length}.");
        }
    }

    public static bool TryFromBase64(ReadOnlySpan<char> text, out byte[] bytes)
    {
        bytes = [];
        if (!Base64Url.IsValid(text, out var length))
        {
            return false;
        }

        bytes = new byte[length];
        return Base64Url.TryDecodeFromChars(text, bytes, out _);
    }

    /// <summary>Writes bytes as text where they are text, else as base64, and says which.</summary>
    public static void Write(Utf8JsonWriter json, string name, string encodingName, ReadOnlySpan<byte> bytes)
    {
        if (Utf8.IsValid(bytes))
        {
            json.WriteString(name, bytes);
            json.WriteString(encodingName, "utf-8"u8);
        }
        else
        {
            json.WriteBase64String(name, bytes);
            json.WriteString(encodingName, "base64"u8);
        }
    }

    /// <summary>The bytes of a string, or null when it holds half a surrogate pair, which is no text.</summary>
    public static byte[]? Utf8BytesOf(JsonElement text)
    {
        try
        {
            return Encoding.UTF8.GetBytes(text.GetString() ?? string.Empty);
        }
        catch (InvalidOperationException)
        {
            return null; // The only way the framework says that an escape is half a pair.
        }
    }
}
